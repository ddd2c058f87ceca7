"""`needle verify`: is what the service keeps whole?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from needle.wording import counted

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
_PARTS = {"regions": "list of regions", "words": "visual words"}
"""What parts of an image are called, where that is not their name in the API."""
EXAMPLES = """
needle verify                        # every collection of the list
needle verify -c trial --repair
needle verify --json | jq '.[].damaged_images'
"""


@click.command(
    cls=Command, short_help="Check what the service keeps, and repair it.", examples=EXAMPLES
)
@click.option(
    "--repair",
    is_flag=True,
    help="Index damaged images again; remove what belongs to no image.",
)
@collection_option
@json_option
@pass_shell
def verify(shell: Shell, repair: bool, collection: str | None, as_json: bool) -> int:
    """Check that nothing is missing or damaged of what the service keeps.

    It compares the list of images with their files, their points (one for each region) and their
    visual words. Ends with 3 where something is wrong and was not repaired.
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
        shell.say(_ended(found, repair=repair))
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
    names = ("images", "whole", "damaged", "waiting", "unlisted", "stray points", "repaired")
    table = Table("collection", *(Column(name, justify="right") for name in names))
    for one in found:
        row = _row(one)
        add(table, one.collection, *(f"{row[name]:,}" for name in COLUMNS[1:]))
    return table


def _explain(shell: Shell, one: Verified) -> None:
    """Name what is wrong, and what could not be repaired."""
    for image in one.damaged_images[:NAMED]:
        lacks = _parts(image["missing"])
        shell.say(f"{one.collection}: {image['filename']} ({image['image_id']}) lacks its {lacks}")
    for image in one.orphaned_images[:NAMED]:
        there = _parts(image["found"])
        shell.say(
            f"{one.collection}: {image['image_id']} is not in the list of images, "
            f"but this is left of it: {there}"
        )
    if max(one.damaged, one.orphaned) > NAMED:
        shell.say(f"{one.collection}: there are more; --json names up to 1,000 of each kind")
    if one.beyond_repair:
        lost = counted(len(one.beyond_repair), "image")
        shell.say(
            f"{one.collection}: the original files of {lost} are lost; index these again: "
            f"{', '.join(one.beyond_repair[:NAMED])}"
        )
    if one.note:
        shell.say(f"{one.collection}: {one.note}")
    if one.repaired and one.repaired.status != "succeeded":
        shell.say(
            f"{one.collection}: not every image could be indexed again; "
            f"`needle jobs {one.repaired.job_id} --items` says why"
        )


def _parts(names: Sequence[str]) -> str:
    """Name parts of an image as people do."""
    return ", ".join(_PARTS.get(name, name.replace("_", " ")) for name in names)


def _ended(found: Sequence[Verified], *, repair: bool) -> str:
    """Say in a sentence how it is."""
    if all(one.sound for one in found):
        return "Everything is whole."
    if all(one.good for one in found):
        return "Everything is repaired."
    if repair:
        return "Not everything could be repaired."
    return "Something is damaged. `needle verify --repair` repairs what it can."
