"""What became of each image of an index, as a table: the ledger that the journal keeps."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from needle import csv_files
from needle.frames import Row
from needle.wording import tsv_lines

COLUMNS = ("name", "status", "image_id", "reason", "at")
FORMS = (".csv", ".tsv")
STDOUT = Path("-")


def write(rows: Iterable[Row], target: Path) -> None:
    """Write rows of COLUMNS to a file by its ending, whole or not at all; TSV to stdout for `-`.

    Raises OSError.
    """
    if target == STDOUT:
        _write_tsv(sys.stdout, rows)
        return
    fresh = target.with_name(f"{target.name}.new")
    with fresh.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        if target.suffix.lower() == ".csv":
            csv_files.write_rows(file, rows, COLUMNS)
        else:
            _write_tsv(file, rows)
    fresh.replace(target)


def _write_tsv(file: IO[str], rows: Iterable[Row]) -> None:
    file.writelines(f"{line}\n" for line in tsv_lines(rows, COLUMNS))
