"""A search's result for people: as a table, and as the rows of a results sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Column, Table

from client.api import Needle
from client.draw import open_upright
from client.results import Match
from client.sheet import Row


def matches_table(matches: Sequence[Match]) -> Table:
    """Return the photos found as a table, best first."""
    table = Table("", "photo", *(Column(name, no_wrap=True) for name in ("score", "box", "source")))
    for place, match in enumerate(matches, start=1):
        hit = match.hits[0] if match.hits else None
        box = " ".join(map(str, hit.box)) if hit else ""
        source = (hit.label or hit.source) if hit else ""
        table.add_row(str(place), match.filename, f"{match.score:.3f}", box, source)
    return table


def match_rows(
    needle: Needle, query: Path, matches: Sequence[Match], collection: str | None = None
) -> list[Row]:
    """Return a results sheet's rows: the query beside each photo that it was found in."""
    picture = open_upright(query)
    rows = []
    for place, match in enumerate(matches, start=1):
        box = match.hits[0].box if match.hits else None
        rows.append(
            Row(
                title=query.name,
                caption=f"{picture.width} x {picture.height} px",
                query=picture,
                photo=open_upright(needle.file(match.image_id, collection=collection)),
                box=box,
                label=f"{match.score:.2f}",
                verdict=f"match {place}: {match.score:.3f}",
                details=(match.filename, f"box {box}" if box else ""),
                sure=place == 1,
            )
        )
    return rows
