"""`needle verify`: is what the service keeps whole?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click
from rich.table import Column, Table

from needle.cli.base import (
    Command,
    ExitCode,
    Shell,
    collection_option,
    json_option,
    pass_shell,
)
from needle.cli.tables import add
from needle.frames import Row
from needle.jobs import Job
from needle.operations import OnJob
from needle.upkeep import Verified

COLUMNS = (
    "collection",
    "images",
    "whole",
    "damaged",
    "waiting",
    "orphaned",
    "stray_points",
    "repaired",
)
NAMED = 10
"""So many images are named of each sort; `--json` names a thousand."""
EXAMPLES = """
needle verify                        # every collection of the list
needle verify -c trial --repair
needle verify --json | jq '.[].damaged_images'
"""


@click.command(cls=Command, short_help="Is what is kept whole? Repair it.", examples=EXAMPLES)
@click.option(
    "--repair", is_flag=True, help="Index damaged images again; remove what belongs to none."
)
@collection_option
@json_option
@pass_shell
def verify(shell: Shell, repair: bool, collection: str | None, as_json: bool) -> int:
    """Compare the list of images with their files, their points and their visual words.

    Ends with 3 where something is wrong and was not repaired.
    """
    with shell.connect() as needle:
        names = [collection] if collection else [each.name for each in needle.collections()]
        found = []
        for name in names:
            with _told(shell, name) as on_progress:
                found.append(needle.verify(name, repair=repair, on_progress=on_progress))
    if as_json:
        shell.json([asdict(one) for one in found])
    else:
        shell.table(lambda: _table(found), [_row(one) for one in found], COLUMNS)
        for one in found:
            _explain(shell, one)
    return ExitCode.OK if all(one.good for one in found) else ExitCode.FAILED


@contextmanager
def _told(shell: Shell, name: str) -> Iterator[OnJob]:
    """Show how far it is while it is worked on."""
    with shell.err.status(f"{name} ...") as status:

        def on_progress(job: Job) -> None:
            part = job.progress
            share = f"{part.ended / part.total:.0%}" if part.total else ""
            what = "verifying" if job.kind == "verify" else "indexing again"
            status.update(f"{name}: {what} {share}")

        yield on_progress


def _repaired(one: Verified) -> int:
    return one.removed + (one.repaired.progress.done if one.repaired else 0)


def _row(one: Verified) -> Row:
    return {**vars(one), "repaired": _repaired(one)}


def _table(found: list[Verified]) -> Table:
    names = ("images", "whole", "damaged", "waiting", "in no list", "stray points", "repaired")
    table = Table("collection", *(Column(name, justify="right") for name in names))
    for one in found:
        row = _row(one)
        add(table, one.collection, *(f"{row[name]:,}" for name in COLUMNS[1:]))
    return table


def _explain(shell: Shell, one: Verified) -> None:
    """Name what is wrong, and what could not be repaired."""
    for image in one.damaged_images[:NAMED]:
        lacks = ", ".join(image["missing"])
        shell.say(f"{one.collection}: {image['image_id']} {image['filename']}: missing {lacks}")
    for image in one.orphaned_images[:NAMED]:
        there = ", ".join(image["found"])
        shell.say(f"{one.collection}: {image['image_id']} is in no list: {there}")
    if max(one.damaged, one.orphaned) > NAMED:
        shell.say(f"{one.collection}: there are more; --json names a thousand of each sort")
    if one.beyond_repair:
        shell.say(
            f"{one.collection}: the own files of {len(one.beyond_repair):,} images are missing; "
            f"post them again: {', '.join(one.beyond_repair[:NAMED])}"
        )
    if one.note:
        shell.say(f"{one.collection}: {one.note}")
    if one.repaired and one.repaired.status != "succeeded":
        shell.say(
            f"{one.collection}: indexing again {one.repaired.status}; "
            f"see `needle jobs {one.repaired.job_id} --items`"
        )
