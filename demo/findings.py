"""What was found, held against the truth: as a table and as rows of the results sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Column, Table
from rich.text import Text

from common.geometry import Box
from demo.samples import Query
from needle.api import Needle
from needle.draw import open_upright
from needle.results import Hit, Match, SearchResult
from needle.sheet import Row


@dataclass(frozen=True)
class Finding:
    """A query and what was found for it."""

    query: Query
    result: SearchResult

    @property
    def best(self) -> Match | None:
        """The first photo."""
        return self.result.best

    @property
    def hit(self) -> Hit | None:
        """The best place in the first photo."""
        return self.best.hits[0] if self.best and self.best.hits else None

    @property
    def right(self) -> bool | None:
        """Tell whether the right photo came first; None where no photo shows the query."""
        if self.query.photo is None:
            return None
        return self.best is not None and self.best.filename == self.query.photo

    @property
    def iou(self) -> float | None:
        """Intersection over union of the box found and the true one, in the right photo."""
        if not self.right or self.hit is None or self.query.box is None:
            return None
        return Box(*self.hit.box).iou(Box(*self.query.box))

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        absent = "wrongly said to be found" if self.result.found else "rightly not found"
        words = {True: "found", False: "wrong photo", None: absent}
        return words[self.right] if self.best else "nothing found"


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return one line for each query."""
    whole = (Column(name, no_wrap=True) for name in ("photo found first", "score", "box", "IoU"))
    table = Table("query", "altered how", *whole, Column("outcome", no_wrap=True))
    for finding in findings:
        style = {True: "green", False: "red", None: "yellow"}[finding.right]
        table.add_row(
            finding.query.name,
            finding.query.alteration,
            finding.best.filename if finding.best else "",
            f"{finding.best.score:.3f}" if finding.best else "",
            " ".join(map(str, finding.hit.box)) if finding.hit else "",
            "" if finding.iou is None else f"{finding.iou:.2f}",
            Text(finding.verdict, style=style),
        )
    return table


def sheet_rows(needle: Needle, findings: Sequence[Finding]) -> list[Row]:
    """Return the rows of the results sheet; the photos come from the service."""
    return [_row(needle, finding) for finding in findings]


def _row(needle: Needle, finding: Finding) -> Row:
    best, hit = finding.best, finding.hit
    iou = "" if finding.iou is None else f"IoU with the truth {finding.iou:.2f}"
    return Row(
        title=finding.query.name,
        caption=finding.query.alteration,
        query=open_upright(finding.query.path),
        photo=open_upright(needle.file(best.image_id, drawable=True)) if best else None,
        box=hit.box if hit else None,
        label=f"{hit.score:.2f}" if hit else "",
        verdict=f"{finding.verdict}, {best.score:.2f}" if best else finding.verdict,
        details=(best.filename if best else "", f"box {hit.box}" if hit else "", iou),
        sure=bool(finding.right),
    )
