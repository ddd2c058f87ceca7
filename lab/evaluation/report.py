"""Figures with their intervals, as tables for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lab.evaluation.bootstrap import Estimate, difference_interval, mean_interval
from lab.evaluation.retrieval import Outcomes

ALL = "all"
PERTURBED = "perturbed crops"
SECOND = "second photographs"
SAME_KIND = "same kind"

SAME_BOX = 0.5
"""Overlap from which a box is said to be found."""


@dataclass(frozen=True)
class Row:
    """What one encoder did with one list of queries.

    `table` says what kind of queries, `what` which of them, `band` of which size. `labels` are
    the queries' kinds where a mean over kinds makes sense.
    """

    table: str
    what: str
    band: str
    encoder: str
    outcomes: Outcomes
    labels: tuple[str, ...] = ()

    @cached_property
    def figures(self) -> dict[str, Estimate]:
        """Every figure by its name."""
        out = self.outcomes
        found = {
            "recall@1": mean_interval(out.recall(1)),
            "recall@5": mean_interval(out.recall(5)),
            "mean average precision": mean_interval(out.precision),
        }
        if self.labels:
            found["macro mean average precision"] = self._over_labels()
        if len(out) and not np.isnan(out.iou_top).any():
            found["right photo's best region IoU >= 0.5"] = mean_interval(out.iou_right >= SAME_BOX)
            found["top hit IoU >= 0.5"] = mean_interval(out.iou_top >= SAME_BOX)
            found["top hit IoU"] = mean_interval(out.iou_top)
        return found

    def _over_labels(self) -> Estimate:
        """Every kind counts the same, however many queries it has; kinds are resampled."""
        of = np.array(self.labels)
        means = [self.outcomes.precision[of == label].mean() for label in np.unique(of)]
        return mean_interval(np.array(means))

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON carries it."""
        return {
            "table": self.table,
            "what": self.what,
            "band": self.band,
            "encoder": self.encoder,
            "of": len(self.outcomes),
            "figures": {name: asdict(found) for name, found in self.figures.items()},
        }


def differences(rows: Sequence[Row], first: str) -> list[dict[str, Any]]:
    """Return how much `first` is better than each other encoder, query by query, as JSON has it."""
    mine = {(row.table, row.what, row.band): row for row in rows if row.encoder == first}
    found = []
    for row in rows:
        if row.encoder == first:
            continue
        own = mine[row.table, row.what, row.band].outcomes
        gains = {
            "recall@1": difference_interval(own.recall(1), row.outcomes.recall(1)),
            "mean average precision": difference_interval(own.precision, row.outcomes.precision),
        }
        place = {"table": row.table, "what": row.what, "band": row.band}
        versus = {"encoder": first, "minus": row.encoder, "of": len(own)}
        found.append(place | versus | {name: asdict(gain) for name, gain in gains.items()})
    return found


def cell(found: Estimate | None) -> str:
    """Return a mean with its interval, for a table."""
    if found is None or not found.of:
        return "-"
    return f"{found.value:.3f} [dim]{_short(found.low)}-{_short(found.high)}[/dim]"


def recalls(row: Row) -> str:
    """Return recall@1 above recall@5."""
    return "\n".join(f"@{k} {cell(row.figures[f'recall@{k}'])}" for k in (1, 5))


def figure(name: str) -> Callable[[Row], str]:
    """Return what shows one figure of a row."""
    return lambda row: cell(row.figures.get(name))


def pivot(
    title: str,
    rows: Iterable[Row],
    across: Callable[[Row], str],
    show: Callable[[Row], str],
) -> Table:
    """Return a table with a line for each `what` and a column for each value of `across`.

    How many queries there are stands at the lines where it is the same all along them, else at
    the columns.
    """
    cells: dict[str, dict[str, Row]] = {}
    for row in rows:
        cells.setdefault(row.what, {})[across(row)] = row
    columns = {column: row for by in cells.values() for column, row in by.items()}
    at_lines = all(len({len(row.outcomes) for row in by.values()}) == 1 for by in cells.values())
    drawn = Table("", title=title, title_justify="left")
    for column, row in columns.items():
        drawn.add_column(column if at_lines else f"{column}\n{_count(row)}")
    for what, by in cells.items():
        line = f"{what}\n{_count(next(iter(by.values())))}" if at_lines else what
        drawn.add_row(line, *(show(by[name]) if name in by else "-" for name in columns))
    return drawn


def show_rest(rows: Sequence[Row], console: Console) -> None:
    """Print the tables that both commands share: encoders side by side."""

    def drawn(title: str, table: str, show: Callable[[Row], str]) -> None:
        own = [row for row in rows if row.table == table]
        if own:
            console.print(pivot(title, own, lambda row: row.encoder, show))

    drawn("Second photographs: recall", SECOND, recalls)
    for name in ("mean average precision", "macro mean average precision"):
        drawn(f"Same kind: {name}", SAME_KIND, figure(name))


def show_differences(rows: Sequence[Row], first: str, console: Console) -> None:
    """Print how much the first encoder is better than each other one, over all sizes."""
    by: dict[tuple[str, str], dict[str, str]] = {}
    for found in differences(rows, first):
        if found["band"] == ALL:
            measure = "mean average precision" if found["table"] == SAME_KIND else "recall@1"
            line = by.setdefault((found["table"], found["what"]), {})
            line[found["minus"]] = cell(Estimate(**found[measure]))
    if by:
        others = list(next(iter(by.values())))
        title = f"{first} less each other one, in pairs: recall@1, or mean average precision"
        lines = [[*place, *line.values()] for place, line in by.items()]
        console.print(plain(title, ["", "", *others], lines))


def plain(title: str, header: Sequence[str], lines: Iterable[Sequence[str]]) -> Table:
    """Return a table of texts."""
    drawn = Table(*header, title=title, title_justify="left")
    for line in lines:
        drawn.add_row(*line)
    return drawn


def write_json(path: Path | None, facts: Mapping[str, Any], console: Console) -> None:
    """Write the facts, NaN as null, if a file is asked for."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(nulled(facts), indent=1) + "\n", encoding="utf-8")
    console.print(f"written: {path}")


def nulled(value: Any) -> Any:
    """Return a value as JSON can carry it: NaN, which it cannot, as null."""
    if isinstance(value, Mapping):
        return {key: nulled(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [nulled(part) for part in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _count(row: Row) -> str:
    return f"[dim]of {len(row.outcomes)}[/dim]"


def _short(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1)
