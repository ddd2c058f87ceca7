"""Where the results of a search go: a sheet, a folder of drawings, a file of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

SHEETS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".pdf"})
"""Pillow reads more than it writes."""


@dataclass(frozen=True)
class Targets:
    """The places that --out names, at most one of each sort."""

    sheet: Path | None = None
    folder: Path | None = None
    rows: Path | None = None


def targets(outs: Sequence[str]) -> Targets:
    """Tell by their names what is to be written. Raises what says that it cannot be, before it is.

    A name that ends with .csv is a file of rows, one of an image file a sheet, and one without
    an ending, or with a slash at the end, or of a folder that is there, a folder.
    """
    found: dict[str, Path] = {}
    for name in outs:
        out = Path(name).expanduser()
        sort = _sort(out, slash=name.endswith("/"))
        if sort in found:
            raise click.UsageError(f"{found[sort]} and {out} are of one sort: name one of them.")
        found[sort] = out
    return Targets(**found)


def _sort(out: Path, *, slash: bool) -> str:
    if out.is_dir():
        return "folder"
    if not out.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {out.parent}.")
    ending = "" if slash else out.suffix.lower()
    if ending == ".csv":
        return "rows"
    if ending in SHEETS:
        return "sheet"
    if ending or out.exists():
        raise click.UsageError(
            f"{out} is not the name of an image file, of a .csv file or of a folder."
        )
    return "folder"
