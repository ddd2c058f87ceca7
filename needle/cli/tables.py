"""What commands show to people, and the rows of the same for programs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from needle import frames
from needle.frames import Row
from needle.indexed import Collection, Image
from needle.jobs import Job
from needle.wording import visible, words

IMAGE_COLUMNS = (
    *(name for name in frames.IMAGE_COLUMNS if name != "paths"),
    "metadata",
    "paths",
)
JOB_COLUMNS = (
    "job_id",
    "kind",
    "status",
    "done",
    "failed",
    "total",
    "rate_per_s",
    "eta_s",
    "created_at",
)
COLLECTION_COLUMNS = ("name", "images", "pending", "dim", "encoder")
VALUE_COLUMNS = ("name", "value")


def add(table: Table, *cells: str, styles: Mapping[int, str] | None = None) -> None:
    """Add a row of plain text: a name is no markup. `styles` are of cells, by their place."""
    styles = styles or {}
    table.add_row(*(Text(cell, styles.get(place, "")) for place, cell in enumerate(cells)))


def images_table(images: Sequence[Image]) -> Table:
    """Return a line for each indexed image; without metadata there is no column for it."""
    noted = any(image.metadata for image in images)
    more = [Column("tags", overflow="fold", min_width=8)] if noted else []
    table = Table(
        Column("image", overflow="fold", min_width=12),
        Column("size", no_wrap=True, justify="right"),
        Column("regions", no_wrap=True, justify="right"),
        Column("indexed", no_wrap=True),
        Column("image id", overflow="fold", min_width=9),
        *more,
    )
    for image in images:
        notes = [words(image.metadata)] if noted else []
        add(
            table,
            path_lines(image.paths),
            f"{image.width} x {image.height}",
            "" if image.regions is None else f"{image.regions:,}",
            moment(image.indexed_at),
            image.image_id,
            *notes,
        )
    return table


def image_rows(images: Iterable[Image]) -> list[Row]:
    """Return a row of IMAGE_COLUMNS for each image; `paths` where it has more than one."""
    return [
        frames.image_row(image)
        | {"metadata": image.metadata or None, "indexed_at": stamp(image.indexed_at)}
        for image in images
    ]


def jobs_table(jobs: Iterable[Job]) -> Table:
    """Return a line for each job; how fast one is and how long it takes, while any is at work.

    On a narrow terminal ids are folded, and nothing is cut off.
    """
    shown = list(jobs)
    working = not all(job.final for job in shown)
    names = ["kind", "status", "done", *(["items/s", "left"] if working else []), "begun"]
    table = Table(
        Column("job", overflow="fold", min_width=10),
        *(Column(name, no_wrap=name != "begun") for name in names),
    )
    for job in shown:
        part = job.progress
        failed = f", {part.failed:,} failed" if part.failed else ""
        pace = [
            "" if part.rate_per_s is None or job.final else f"{part.rate_per_s:.1f}",
            "" if part.eta_s is None or job.final else f"{part.eta_s:,.0f} s",
        ]
        add(
            table,
            job.job_id,
            job.kind,
            job.status,
            f"{part.done:,} of {part.total:,}{failed}",
            *(pace if working else []),
            moment(job.created_at),
            styles={2: _COLOURS.get(job.status, "yellow")},
        )
    return table


def job_rows(jobs: Iterable[Job]) -> list[Row]:
    """Return a row of JOB_COLUMNS for each job."""
    return [
        {**vars(job.progress), **vars(job), "created_at": stamp(job.created_at)} for job in jobs
    ]


def collections_table(collections: Iterable[Collection]) -> Table:
    """Return a line for each collection."""
    table = Table("collection", Column("images", justify="right"), "index", "dim", "encoder")
    for each in collections:
        add(table, each.name, f"{each.images:,}", _index(each), str(each.dim), each.encoder)
    return table


def collection_rows(collections: Iterable[Collection]) -> list[Row]:
    """Return a row of COLLECTION_COLUMNS for each collection."""
    return [
        {**vars(each), "pending": each.index.pending if each.index else None}
        for each in collections
    ]


def _index(collection: Collection) -> str:
    """Return how far a collection's index reaches."""
    if collection.index is None:
        return ""
    work = ", at work" if collection.index.optimizing else ""
    work += ", bulk mode" if collection.index.deferred else ""
    pending = collection.index.pending
    return f"{pending:,} pending{work}" if pending else f"complete{work}"


def values_table(values: Mapping[str, Any]) -> Table:
    """Return a line for each value; mappings in it as `name value` pairs."""
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        add(table, visible(name), words(value))
    return table


def value_rows(values: Mapping[str, Any], under: str = "") -> list[Row]:
    """Return a row of VALUE_COLUMNS for each value; those in a mapping are `mapping.name`."""
    rows: list[Row] = []
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            rows += value_rows(value, f"{under}{name}.")
        else:
            rows.append({"name": f"{under}{name}", "value": value})
    return rows


def path_lines(paths: Sequence[str]) -> str:
    """Return paths, a line each."""
    return "\n".join(map(visible, paths))


def moment(seconds: float | None) -> str:
    """Return a Unix time as the local date and time; nothing for None."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""


def stamp(seconds: float | None) -> str | None:
    """Return a Unix time as programs write it, in UTC; None for None."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else None


_COLOURS = {"succeeded": "green", "partial": "yellow", "failed": "red", "cancelled": "red"}
