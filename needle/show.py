"""A search's result for people: as a table, and as the rows of a results sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from rich.table import Column, Table
from rich.text import Text

from needle.api import Needle
from needle.draw import WHITE, font, open_upright
from needle.results import Match, SearchResult
from needle.searching.rows import NEAREST, likely
from needle.sheet import Row
from needle.wording import counted, sure, visible

_WORDED_PX = (600, 300)


@dataclass(frozen=True)
class Query:
    """A query, as the sheet shows it: its name, and an upright RGB image."""

    name: str
    image: Image.Image


def matches_table(matches: Sequence[Match], *, ids: bool = False, things: int = 1) -> Table:
    """Return the images found as a table, best first. With `ids`, the image ids as well.

    Where several `things` were searched for, it says how many of them each image shows.

    It is 80 columns wide at least; a narrower terminal folds names and ids, and cuts the rest.
    """
    # A service of before does not say which of several things an image shows.
    told = things > 1 and any(match.shows for match in matches)
    how_sure = "things" if told else "sure"
    columns = [Column(name, no_wrap=True) for name in (how_sure, "box", "how")]
    counted = any(match.count for match in matches)
    more = [Column("count", no_wrap=True, justify="right")] if counted else []
    more += [Column("image id", overflow="fold", min_width=11)] if ids else []
    name = Column("image", overflow="fold", min_width=12)
    table = Table(Column("", no_wrap=True), name, *columns, *more)
    for place, match in enumerate(matches, start=1):
        hit = match.hits[0] if match.hits else None
        cells = [
            str(place),
            match.path or match.filename,
            f"{len(match.shows)} of {things}" if told else sure(match.probability),
            ",".join(map(str, hit.box)) if hit else "",
            _how(match),
        ]
        cells += [f"{match.count:,}" if match.count else ""] if counted else []
        cells += [match.image_id] if ids else []
        # Text, and not str: a name is no markup.
        table.add_row(*(Text(visible(cell)) for cell in cells))
    return table


def _how(match: Match) -> str:
    """Return how the image was found: again by local features, or by which region."""
    if match.verified:
        return "verified"
    return (match.hits[0].label or match.hits[0].source) if match.hits else ""


def worded(text: str) -> Image.Image:
    """Return an image of a text, for a query that is one."""
    card = Image.new("RGB", _WORDED_PX, WHITE)
    lines = "\n".join(text[start : start + 26] for start in range(0, min(len(text), 130), 26))
    ImageDraw.Draw(card).multiline_text((30, 40), lines, font=font(38), fill=(28, 32, 38))
    return card


@dataclass(frozen=True)
class Pictured:
    """The matches of a result that are drawn: what was `found`, else a few look-alikes.

    `sentence` says which they are, where that is not plain.
    """

    matches: tuple[Match, ...]
    found: bool
    sentence: str = ""


def pictured(result: SearchResult, most: int) -> Pictured:
    """Return which matches of a result are to be drawn, at most so many."""
    if result.of_words:
        return Pictured(result.matches[:most], found=True, sentence="The images that fit best")
    found = likely(result, found=True).matches
    if not found:
        sentence = "Probably in none of the images. These look most like it."
        return Pictured(result.matches[:NEAREST], found=False, sentence=sentence)
    cut = f"The {most} surest of {counted(len(found), 'image')}" if len(found) > most else ""
    return Pictured(found[:most], found=True, sentence=cut)


def match_rows(
    needle: Needle,
    query: Path | Query,
    matches: Sequence[Match],
    collection: str | None = None,
    *,
    found: bool = True,
) -> list[Row]:
    """Return a results sheet's rows: the query beside each image; amber unless it was `found`."""
    shown = query if isinstance(query, Query) else Query(query.name, open_upright(query))
    rows = []
    for place, match in enumerate(matches, start=1):
        box = match.hits[0].box if match.hits else None
        rows.append(
            Row(
                title=shown.name,
                caption=f"{shown.image.width} x {shown.image.height} px",
                query=shown.image,
                photo=open_upright(
                    needle.file(match.image_id, collection=collection, drawable=True)
                ),
                box=box,
                label=match.sureness,
                verdict=_verdict(match, place),
                details=(
                    match.path or match.filename,
                    f"box {','.join(map(str, box))}" if box else "",
                ),
                sure=found,
            )
        )
    return rows


def _verdict(match: Match, place: int) -> str:
    if match.shows:
        return f"shows {counted(len(match.shows), 'thing')}"
    return f"{sure(match.probability)} likely" if match.probability is not None else f"no. {place}"
