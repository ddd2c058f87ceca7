"""A search for one query: printed, drawn and shown."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from needle import frames
from needle.api import Needle
from needle.cli.base import ExitCode, Shell
from needle.cli.searches.targets import Targets
from needle.results import Box, Match, SearchResult, Thing
from needle.searching.queries import Query
from needle.searching.rows import NEAREST, likely, places
from needle.wording import counted, sure

DRAWN = 10
TOLD = 0.01
"""Less probable than this, no image is closer than the others."""
ANY = "object"
"""The one class of a detector of things of any kind: it says nothing."""
Ask = Callable[[Query], SearchResult]


@dataclass(frozen=True)
class Shown:
    """How a result is shown."""

    targets: Targets
    as_json: bool
    opened: bool


def search_one(
    shell: Shell, needle: Needle, query: Query, ask: Ask, box: Box | None, shown: Shown
) -> int:
    """Search and show the result; return how the command ends."""
    result = ask(query)
    show(shell, result, as_json=shown.as_json)
    if result.matches and (shown.targets.sheet or shown.opened):
        target = shown.targets.sheet or Path(tempfile.mkdtemp(prefix="needle-"), "result.png")
        _draw_sheet(needle, query, box, result, target)
        shell.say(f"Drawn in {target}")
        if shown.opened:
            click.launch(str(target))
    if shown.targets.folder:
        _draw_folder(shell, needle, query, box, result, shown.targets.folder)
    return ended(result)


def ended(result: SearchResult) -> int:
    """Return how the command ends."""
    return ExitCode.OK if result.found and result.matches else ExitCode.NOTHING


def show(shell: Shell, result: SearchResult, *, as_json: bool) -> None:
    """Print a result, and whether the time for it sufficed."""
    if as_json:
        shell.json({"job_id": result.job_id, **result.raw})
    else:
        _print(shell, result)
    if result.verification.get("complete") is False:
        shell.say(
            f"{_cut_short(result)} `needle continue {result.job_id}` takes the time it needs."
        )


def _cut_short(result: SearchResult) -> str:
    """Say what there was no time for."""
    checked, left = (result.verification.get(name) for name in ("checked", "unchecked"))
    if left is None:  # a service or a result of before
        return f"Time ran out when {counted(checked or 0, 'image')} had been double-checked."
    if left:
        every = counted(checked + left, "image")
        return f"Time ran out when {checked:,} of {every} had been double-checked."
    return "Time ran out before the last checks of the best images."


def _print(shell: Shell, result: SearchResult) -> None:
    from needle.show import matches_table

    if result.matches and result.of_words:
        shell.say("The images that fit best:")
    elif result.matches and not result.found:
        shell.say("Probably in none of the images. The nearest look-alikes:")
    shown = _worth_a_look(result)
    if result.matches or not shell.people:
        shell.table(
            lambda: matches_table(shown, ids=True, things=len(result.objects)),
            result.rows(),
            frames.MATCH_COLUMNS,
        )
    if not result.matches:
        shell.say("Nothing was found.")
        return
    left = len(result.matches) - len(shown)
    if shell.people and left:
        look = "looks" if left == 1 else "look"
        shell.say(f"{left:,} more {look} a little like it, under 1 % likely; --json lists all.")
    for number, thing in enumerate(result.objects, start=1):
        where = "the whole query" if thing.box is None else ",".join(map(str, thing.box))
        verdict = "found" if thing.found else "probably not there"
        shell.say(f"{_named(thing, number)}, {where}: {verdict} ({sure(thing.probability)})")
    took, index = result.timings_ms.get("total"), result.index
    if took is not None:
        regions, images = index.get("regions", 0), index.get("images", 0)
        shell.say(f"{took:.0f} ms; {counted(regions, 'region')} of {counted(images, 'image')}")


def _worth_a_look(result: SearchResult) -> tuple[Match, ...]:
    """Return the matches that people are shown: without the tail of those that hardly show it."""
    asked = result.raw.get("query") or {}
    if len(result.objects) > 1 or asked.get("same_kind"):
        return result.matches  # there the percentages say something else
    closer = [
        match.verified or match.probability is None or match.probability >= TOLD
        for match in result.matches
    ]
    last = max((place for place, each in enumerate(closer, start=1) if each), default=NEAREST)
    return result.matches[:last]


def _named(thing: Thing, number: int) -> str:
    """Return what to call a thing of the query, by its number where the detector has no word."""
    return thing.label if thing.label and thing.label != ANY else f"thing {number}"


def _draw_sheet(
    needle: Needle, query: Query, box: Box | None, result: SearchResult, target: Path
) -> None:
    from needle import show
    from needle.searching.drawing import seen
    from needle.sheet import results_sheet

    collection = result.matches[0].origin.collection
    image = seen(needle, query, box, collection) or show.worded(query.name)
    drawn = show.Query(Path(query.name).name, image)
    chosen = show.pictured(result, DRAWN)
    rows = show.match_rows(needle, drawn, chosen.matches, collection, found=chosen.found)
    sheet = results_sheet(rows, title=f"Where is {drawn.name}?", subtitle=chosen.sentence)
    sheet.save(target)


def _draw_folder(
    shell: Shell, needle: Needle, query: Query, box: Box | None, result: SearchResult, folder: Path
) -> None:
    """Draw what was found; look-alikes are not among it."""
    from needle.searching.drawing import draw_into

    found = places(likely(result, found=True))
    if not found.matches:
        shell.say("Nothing is drawn, since it is probably in none of the images.")
        return
    drawn = draw_into(folder, needle, query, found, box)
    shell.say(f"Drawn in {folder}: {counted(len(drawn), 'file')}")
