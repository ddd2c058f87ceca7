"""`needle index`."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import click

from needle import sources, watch
from needle.bulk import IN_FLIGHT
from needle.cli.base import (
    Command,
    ExitCode,
    Shell,
    collection_option,
    complete_file,
    json_option,
    pass_shell,
)
from needle.cli.estimate import estimate, left_out
from needle.cli.values import Real, metadata, noted
from needle.journal import Journal, state_file
from needle.outcomes import FORMS, STDOUT, write
from needle.parcels import Address
from needle.progress import tally_bar
from needle.resume import ResumableIndex
from needle.sources import Sources
from needle.tally import Outcome

SHOWN_FAILURES = 10
PROFILES = ("fast", "balanced", "thorough")

EXAMPLES = """
needle index ~/images                        # a folder, and the folders and archives in it
needle index 'shots/**/*.jpg' holiday.zip    # a pattern, an archive
needle index urls.txt https://example.org/a.jpg
needle index s3://shop-photos/2024           # of a bucket that the service may read
needle index 'shard-{000..099}.tar'          # tar archives, as WebDataset makes them
needle index 'https://example.org/shard-{000..099}.tar' s3://shop-photos/shards
needle index ~/images --outcomes images.csv  # what became of each: indexed, failed and why
find . -size +1M -name '*.jpg' -print0 | needle index -
needle index ~/images --metadata shop=Basel --metadata year=2024
needle index ~/images --note date,folder     # to filter by: date>=20240501, folder=images/beach
needle index ~/incoming --watch              # and whatever comes later
needle index ~/images --dry-run              # how many there are
needle index ~/images --dry-run --sample 5   # and how long all of them take, by trying 5
"""


def _table(_: click.Context, __: click.Parameter, target: Path | None) -> Path | None:
    """Refuse a table that could not be written in the end."""
    if target is None or target == STDOUT:
        return target
    if target.suffix.lower() not in FORMS:
        raise click.BadParameter(f"{target} ends with neither {' nor '.join(FORMS)}.")
    if not target.parent.is_dir():
        raise click.BadParameter(f"There is no folder {target.parent}.")
    return target


@click.command(cls=Command, short_help="Index images.", examples=EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="PATHS...", shell_complete=complete_file)
@click.option(
    "-r/-R", "--recursive/--no-recursive", default=True, help="Folders in folders, too (default)."
)
@click.option("--watch", "watched", is_flag=True, help="Go on with what is new, until Ctrl-C.")
@click.option(
    "--resume/--no-resume",
    default=True,
    help="Skip what is indexed and go on where an earlier run stopped (default); --no-resume "
    "sends everything, for instance after the models or the tiles have changed.",
)
@click.option(
    "-m",
    "--metadata",
    multiple=True,
    metavar="KEY=VALUE",
    callback=metadata,
    help="Give every image this tag; repeat it for more. Several values are a JSON list: "
    '\'colours=["red", "blue"]\'.',
)
@click.option(
    "--note",
    multiple=True,
    metavar="WHAT",
    callback=noted,
    help="Add tags from each file: date, camera, place (as the camera noted them), folder.",
)
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
@click.option(
    "--outcomes",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    callback=_table,
    help="Write what became of each image: FILE.csv, FILE.tsv, or - for TSV on standard output.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say how many images there are and how long the networks would take; index none.",
)
@click.option(
    "--sample",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="With --dry-run: index N of them on trial, in a collection that is removed afterwards, "
    "and say how long all of them take.",
)
@click.option(
    "--in-flight",
    type=click.IntRange(1, 64),
    default=IN_FLIGHT,
    show_default=True,
    help="Uploads at the same time.",
)
@collection_option
@json_option
@pass_shell
def index(
    shell: Shell,
    words: Sequence[str],
    recursive: bool,
    watched: bool,
    resume: bool,
    metadata: dict[str, Any] | None,
    note: Sequence[str] | None,
    profile: str | None,
    confidence_threshold: float | None,
    batch_size: int | None,
    local_features: int | None,
    outcomes: Path | None,
    dry_run: bool,
    sample: int | None,
    in_flight: int,
    collection: str | None,
    as_json: bool,
) -> int:
    """Index images: folders, files, patterns, zip and tar archives, URLs, buckets, lists of these.

    A list is a .txt file, or `-` for the standard input: a path or URL a line. Ctrl-C ends it;
    the same command goes on. With --watch an image that changed is indexed as a new one. What
    became of images is kept from run to run: --outcomes has those that an earlier run indexed, too.
    """
    if outcomes == STDOUT and as_json:
        raise click.UsageError("--outcomes - and --json would both be on standard output.")
    if outcomes and dry_run:
        raise click.UsageError("--outcomes does not go with --dry-run, which indexes nothing.")
    if sample and not dry_run:
        raise click.UsageError("--sample goes with --dry-run.")
    stdin = cache(lambda: os.fsdecode(sys.stdin.buffer.read()))

    def look() -> Sources:
        return sources.find(words, recursive=recursive, stdin=stdin)

    found = look()
    if not found and not watched:
        raise click.UsageError(f"There are no images in what was named{left_out(found.left_out)}.")
    target = Address(
        collection, metadata, profile, confidence_threshold, batch_size, local_features, note
    )
    if dry_run:
        target = replace(target, metadata=None, note=None)
        return estimate(shell, found, target, sample, as_json)
    seen = watch.stamps(found.images + found.archives)
    journal = _journal(shell, collection)
    try:
        with shell.connect() as needle:
            one = ResumableIndex(needle, journal, target, resume=resume, in_flight=in_flight)
            run = _Run(shell, one, as_json, to_stdout=outcomes == STDOUT)
            run(found)
            if watched:
                shell.say(f"Watching for new images, every {watch.EVERY_S:g} s; Ctrl-C ends it.")
                _watch(look, seen, run)
    except KeyboardInterrupt:
        shell.say("Images that were sent are indexed all the same; the same command goes on.")
        raise
    finally:
        with closing(journal):
            if outcomes:
                write(journal.outcomes(), outcomes)
    return ExitCode.FAILED if run.failed else ExitCode.OK


class _Run:
    """Indexes and reports; called once, or for each change."""

    def __init__(
        self, shell: Shell, index: ResumableIndex, as_json: bool, *, to_stdout: bool = False
    ) -> None:
        """`to_stdout` says that something else is printed there."""
        self._shell, self._index, self._as_json = shell, index, as_json
        self._tell = shell.say if to_stdout else shell.tell
        self.failed = False

    def __call__(self, found: Sources) -> None:
        with tally_bar(self._shell.err) as told:
            outcome = self._index.run(found, told, self._stopping)
        self.failed = self.failed or bool(outcome.failures)
        every = Counter(found.left_out) + Counter(outcome.left_out)
        outcome = replace(outcome, left_out=dict(every.most_common()))
        _report(self._shell, outcome, self._as_json, self._tell)

    def _stopping(self, uploads: int) -> None:
        self._shell.say(f"Ending {uploads} uploads that are under way; Ctrl-C again ends at once.")


def _report(shell: Shell, outcome: Outcome, as_json: bool, tell: Callable[[str], None]) -> None:
    if as_json:
        counts = {"failed": len(outcome.failures), "image_ids": sorted(outcome.image_ids)}
        shell.json({**asdict(outcome), **counts})
        return
    for failure in outcome.failures[:SHOWN_FAILURES]:
        shell.say(f"failed {failure.name}: {failure.reason}")
    hidden = len(outcome.failures) - SHOWN_FAILURES
    if hidden > 0:
        shell.say(f"and {hidden:,} more failed; `needle jobs` names the jobs.")
    for remark in outcome.remarks[:SHOWN_FAILURES]:
        shell.say(f"indexed {remark.name}: {remark.text}")
    failed = len(outcome.failures)
    said = f"{outcome.indexed:,} indexed, {outcome.unchanged:,} unchanged, {failed:,} failed"
    skipped = f"; {outcome.skipped:,} already indexed, skipped" if outcome.skipped else ""
    tell(said + skipped + left_out(outcome.left_out))


def _watch(look: Callable[[], Sources], seen: dict[Path, watch.Stamp], run: _Run) -> None:
    latest = Sources()

    def stamps() -> dict[Path, watch.Stamp]:
        nonlocal latest
        try:
            latest = look()
        except FileNotFoundError:  # a folder may go and come back
            return {}
        return watch.stamps(latest.images + latest.archives)

    for paths in watch.changes(stamps, seen):
        run(latest.only(frozenset(paths)))


def _journal(shell: Shell, collection: str | None) -> Journal:
    """Open the journal; without one, what is in flight at Ctrl-C may be sent twice, no more."""
    try:
        return Journal(state_file(), shell.url, collection)
    except OSError as exc:
        shell.say(f"needle: {exc}")
        return Journal(None, shell.url, collection)
