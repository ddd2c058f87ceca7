"""What a run of the service wrote: tables in the terminal, Markdown, JSON, plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.evaluation.report import write_json
from lab.evaluation.service import prices, tables
from lab.evaluation.service.measured import Measured
from lab.evaluation.service.sheets import Sheet, side_by_side
from lab.evaluation.service.tables import Counted

_BUILDERS = (
    tables.curves,
    tables.sides,
    tables.gains,
    tables.perturbations,
    tables.seconds,
    prices.open_set,
    prices.reliability,
    tables.localisation,
    prices.losses,
    prices.costs,
    prices.times,
)


def sheets(measured: Measured) -> list[Sheet]:
    """Return every table that the run has something to say in."""
    counted = Counted(measured)
    return [sheet for build in _BUILDERS for sheet in build(counted)]


def facts(measured: Measured, sheets: Sequence[Sheet]) -> dict[str, Any]:
    """Return the run as JSON carries it."""
    collection = measured.collection
    return {
        "command": "service",
        "run": measured.name,
        "models": measured.models,
        "photos": len(measured.plan.photos),
        "photos_indexed": collection.photos - len(collection.failed),
        "regions": collection.regions,
        "indexing": asdict(collection.spent),
        "bytes": dict(collection.bytes),
        "searches": measured.plan.searches,
        "leaked": measured.leaked,
        "load": measured.load,
        "large": _large(measured),
        "tables": {sheet.key: sheet.as_json() for sheet in sheets},
    }


def _large(measured: Measured) -> dict[str, Any] | None:
    if measured.large is None:
        return None
    collection = measured.large.collection
    return {
        "photos": collection.photos,
        "regions": collection.regions,
        "indexing": asdict(collection.spent),
        "bytes": dict(collection.bytes),
        "windows": len(measured.large.windows),
    }


def show(sheets: Sequence[Sheet], console: Console) -> None:
    """Print the tables."""
    for sheet in sheets:
        console.print(sheet.drawn())
        console.print()


def write_markdown(
    path: Path | None, title: str, sheets: Sequence[Sheet], console: Console
) -> None:
    """Write the tables as Markdown below a heading, if a file is asked for."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"## {title}\n", *(sheet.markdown() for sheet in sheets)]
    path.write_text("\n".join(parts), encoding="utf-8")
    console.print(f"written: {path}")


def compare(
    files: Sequence[Path], json_file: Path | None, markdown: Path | None, console: Console
) -> None:
    """Print the tables of several runs, of their `report.json`, side by side."""
    runs: dict[str, list[Sheet]] = {}
    for path in files:
        facts = json.loads(path.read_text(encoding="utf-8"))
        name = facts["run"] if facts["run"] not in runs else f"{facts['run']} ({path})"
        runs[name] = [Sheet.from_json(key, raw) for key, raw in facts["tables"].items()]
    joined = side_by_side(runs)
    show(joined, console)
    write_markdown(markdown, " and ".join(runs), joined, console)
    together = {sheet.key: sheet.as_json() for sheet in joined}
    write_json(json_file, {"command": "compare", "runs": list(runs), "tables": together}, console)
