"""CSV files that a spreadsheet may open: what others have named is text there, and no formula."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import IO, Any

from needle import frames
from needle.frames import Row
from needle.wording import yes_no

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""As spreadsheets read a cell; the last four are the wide forms of the first."""


def write(file: IO[str], rows: Sequence[Row], first: Sequence[str]) -> None:
    """Write rows under the names of their columns, those of `first` before the others.

    A text that a spreadsheet would take for a formula gets an apostrophe before it. Truth is yes
    or no, lists and mappings are JSON.
    """
    write_rows(file, rows, frames.columns(rows, first))


def write_rows(file: IO[str], rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Write rows that have these columns, as `write` does, one after the other."""
    table = csv.DictWriter(file, columns, lineterminator="\n")
    table.writerow({name: cell(name) for name in table.fieldnames})
    table.writerows(_cells(rows))


def _cells(rows: Iterable[Row]) -> Iterable[Row]:
    for row in rows:
        yield {name: cell(value) for name, value in row.items()}


def cell(value: Any) -> Any:
    """Return a value as a cell holds it."""
    if isinstance(value, bool):
        return yes_no(value)
    if isinstance(value, list | tuple | dict):
        value = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return value
    value = value.replace("\r", "\\r")  # which not every Python puts into quotes
    return f"'{value}" if value.startswith(_BEGINS_A_FORMULA) else value
