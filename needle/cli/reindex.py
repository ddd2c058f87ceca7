"""`needle reindex`: a whole collection again, from the service's own files."""

from __future__ import annotations

import click

from needle.cli.base import Command, ExitCode, Shell, collection_option, pass_shell
from needle.cli.index import PROFILES
from needle.cli.values import Real
from needle.progress import progress_bar

EXAMPLES = """
needle reindex                        # after another encoder was set
needle reindex -c shop --profile thorough
"""


@click.command(cls=Command, short_help="Index a whole collection again.", examples=EXAMPLES)
@click.option("--profile", type=click.Choice(PROFILES), help="How thoroughly to index.")
@click.option(
    "--confidence-threshold",
    type=Real(0, 1),
    help="Leave out things that the detector is less sure of.",
)
@click.option(
    "--batch-size", type=click.IntRange(1, 256), help="Images the detector takes at a time."
)
@click.option(
    "--local-features",
    type=click.IntRange(0, 10_000),
    help="Keep at most so many keypoints of an image; 0: none.",
)
@collection_option
@pass_shell
def reindex(
    shell: Shell,
    profile: str | None,
    confidence_threshold: float | None,
    batch_size: int | None,
    local_features: int | None,
    collection: str | None,
) -> int:
    """Index every image of a collection again, by the models in use, from the service's own files.

    Images keep their ids, names and metadata. By another encoder than before, searches find only
    what is done until all is. Ctrl-C leaves the job to go on. Ends with 3 where an image failed.
    """
    with shell.connect() as needle:
        shell.check_collection(needle, collection)
        job = needle.reindex(
            collection or "default",
            profile=profile,
            confidence_threshold=confidence_threshold,
            batch_size=batch_size,
            local_features=local_features,
        )
        with progress_bar(shell.err, job.progress.total, "Indexing again") as told:
            job = needle.wait(
                job, on_progress=lambda now: told(now.progress.done, now.progress.failed)
            )
    shell.tell(f"{job.progress.done:,} indexed again, {job.progress.failed:,} failed")
    if job.status == "succeeded":
        return ExitCode.OK
    shell.say(f"The job {job.job_id} {job.status}; see `needle jobs {job.job_id} --items`.")
    return ExitCode.FAILED
