"""A table once, drawn three ways: for the terminal, as Markdown, and for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from lab.evaluation.bootstrap import Estimate
from lab.evaluation.report import cell, plain

Value = str | int | float | Estimate | None
"""What a cell holds; None where there is nothing to say."""


@dataclass(frozen=True)
class Sheet:
    """A table with a title and a sentence that says how to read it; `key` names it in JSON."""

    key: str
    title: str
    about: str
    header: tuple[str, ...]
    lines: tuple[tuple[Value, ...], ...]

    def drawn(self) -> Table:
        """Return it for the terminal."""
        shown = plain(self.title, self.header, _texts(self.lines, cell))
        shown.caption, shown.caption_justify = self.about, "left"
        return shown

    def markdown(self) -> str:
        """Return it as Markdown: a heading, the sentence, a pipe table."""
        rows = [self.header, ("---",) * len(self.header), *_texts(self.lines, _spelled)]
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        return f"### {self.title}\n\n{self.about}\n\n{table}\n"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON carries it: a mapping for each line, by the header's words."""
        return {
            "title": self.title,
            "about": self.about,
            "header": list(self.header),
            "lines": [
                dict(zip(self.header, map(_plain, line), strict=True)) for line in self.lines
            ],
        }

    @classmethod
    def from_json(cls, key: str, raw: Mapping[str, Any]) -> Sheet:
        """Read what `as_json` wrote."""
        lines = (tuple(_value(line[name]) for name in raw["header"]) for line in raw["lines"])
        return cls(key, raw["title"], raw["about"], tuple(raw["header"]), tuple(lines))


def side_by_side(runs: Mapping[str, Sequence[Sheet]]) -> list[Sheet]:
    """Return the sheets of several runs as one each, with a first column that names the run.

    Sheets that not every run has, or that differ in their columns, are left out.
    """
    first = next(iter(runs.values()), ())
    by_run = {name: {sheet.key: sheet for sheet in sheets} for name, sheets in runs.items()}
    joined = []
    for sheet in first:
        own = {name: sheets[sheet.key] for name, sheets in by_run.items() if sheet.key in sheets}
        if len(own) < len(runs) or any(other.header != sheet.header for other in own.values()):
            continue
        lines = [(name, *line) for name, other in own.items() for line in other.lines]
        header = ("run", *sheet.header)
        joined.append(Sheet(sheet.key, sheet.title, _about(own), header, tuple(lines)))
    return joined


def _about(own: Mapping[str, Sheet]) -> str:
    """Return the sentence of the sheets, or of each where they say something of their own run."""
    abouts = {sheet.about for sheet in own.values()}
    if len(abouts) == 1:
        return abouts.pop()
    return " ".join(f"{name}: {sheet.about}" for name, sheet in own.items())


def _texts(
    lines: Iterable[Sequence[Value]], estimate: Callable[[Estimate], str]
) -> list[list[str]]:
    return [[_text(value, estimate) for value in line] for line in lines]


def _text(value: Value, estimate: Callable[[Estimate], str]) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "-"
    if isinstance(value, Estimate):
        return estimate(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value


def _spelled(found: Estimate) -> str:
    if not found.of:
        return "-"
    if np.isnan(found.low):
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.2f}-{found.high:.2f})"


def _plain(value: Value) -> Any:
    return asdict(value) if isinstance(value, Estimate) else value


def _value(raw: Any) -> Value:
    if not isinstance(raw, dict):
        known: Value = raw
        return known
    value, low, high = (
        np.nan if raw[name] is None else raw[name] for name in ("value", "low", "high")
    )
    return Estimate(value, low, high, raw["of"])
