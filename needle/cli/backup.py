"""`needle backup` and `needle restore`: a copy of everything, and a service made of one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from needle.cli.base import Command, ExitCode, Shell, of_checkout, pass_shell
from needle.jobs import Job
from needle.wording import sized

BACKUP_EXAMPLES = """
needle backup needle.tar
needle backup /backups           # a file in the folder, named by the date
"""
RESTORE_EXAMPLES = """
needle restore needle.tar --data ~/needle-data
needle up --data ~/needle-data
"""


@click.command(cls=Command, short_help="Copy everything into one file.", examples=BACKUP_EXAMPLES)
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE|FOLDER")
@pass_shell
def backup(shell: Shell, target: Path) -> int:
    """Copy all that the running service keeps, but its keys, into a new tar file.

    Searches and uploads go on meanwhile; what is to be written to the index waits while it is
    copied. Whoever reads the file reads all images: keep it as safe as the data folder.
    """
    if target.is_dir():
        target /= time.strftime("needle-%Y%m%d-%H%M%S.tar")
    if target.exists():
        raise click.UsageError(f"{target} is there already.")
    with shell.err.status("Making the backup ...") as status, shell.connect() as needle:

        def on_progress(job: Job) -> None:
            done = job.status == "succeeded"
            status.update("Fetching it ..." if done else "Making the backup ...")

        made = needle.backup(target, on_progress=on_progress)
    shell.say(f"{made.get('images', 0):,} images in {target}, {sized(target.stat().st_size)}")
    if not made.get("has_vectors"):
        shell.say(
            "The points are on a Qdrant server and not in it; after a restore, "
            "`needle verify --repair` makes them again."
        )
    return ExitCode.OK


@click.command(
    cls=Command,
    short_help="Make a data folder of a backup.",
    examples=RESTORE_EXAMPLES,
    talks=False,
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The new folder (default: NEEDLE_DATA_DIR); it is empty, or not there yet.",
)
def restore(file: Path, data: Path | None) -> int:
    """Make a data folder of a backup; `needle up` then runs the service as it was.

    The folder is there once all of it is restored. With NEEDLE_REDIS_URL, lists and jobs go into
    that Redis, which must be empty.
    """
    folder = data or os.environ.get("NEEDLE_DATA_DIR")
    if not folder:
        raise click.UsageError("Name the new folder with --data, or with NEEDLE_DATA_DIR.")
    machine = of_checkout("machine.__main__", "needle restore")
    words = ["restore", str(file), "--data", str(folder)]
    return ExitCode.FAILED if machine.main(words) else ExitCode.OK
