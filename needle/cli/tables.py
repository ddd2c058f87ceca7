"""What commands show to people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Column, Table

from needle.indexed import Collection, Image
from needle.jobs import Job


def images_table(images: Iterable[Image]) -> Table:
    """Return a line for each indexed image."""
    table = Table(
        Column("image", overflow="fold", min_width=12),
        Column("size", no_wrap=True, justify="right"),
        Column("regions", no_wrap=True, justify="right"),
        Column("indexed", no_wrap=True),
        Column("image id", overflow="fold", min_width=9),
        Column("metadata", overflow="fold", min_width=8),
    )
    for image in images:
        table.add_row(
            "\n".join(image.paths),
            f"{image.width} x {image.height}",
            "" if image.regions is None else f"{image.regions:,}",
            moment(image.indexed_at),
            image.image_id,
            _pairs(image.metadata),
        )
    return table


def jobs_table(jobs: Iterable[Job]) -> Table:
    """Return a line for each job."""
    names = ("job", "kind", "status", "done", "failed", "of", "images/s", "ETA", "begun")
    table = Table(*(Column(name, no_wrap=True) for name in names))
    for job in jobs:
        part = job.progress
        table.add_row(
            job.job_id,
            job.kind,
            f"[{_COLOURS.get(job.status, 'yellow')}]{job.status}",
            f"{part.done:,}",
            f"{part.failed:,}",
            f"{part.total:,}",
            "" if part.rate_per_s is None else f"{part.rate_per_s:.1f}",
            "" if part.eta_s is None or job.final else f"{part.eta_s:.0f} s",
            moment(job.created_at),
        )
    return table


def collections_table(collections: Iterable[Collection]) -> Table:
    """Return a line for each collection."""
    table = Table("collection", Column("images", justify="right"), "index", "dim", "encoder")
    for each in collections:
        row = (each.name, f"{each.images:,}", _index(each), str(each.dim), each.encoder)
        table.add_row(*row)
    return table


def _index(collection: Collection) -> str:
    """Return how far a collection's index reaches."""
    if collection.index is None:
        return ""
    work = ", at work" if collection.index.optimizing else ""
    pending = collection.index.pending
    return f"{pending:,} pending{work}" if pending else f"complete{work}"


def values_table(values: Mapping[str, Any]) -> Table:
    """Return a line for each value; mappings in it as `name value` pairs."""
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, _pairs(value) if isinstance(value, Mapping) else str(value))
    return table


def moment(seconds: float | None) -> str:
    """Return a Unix time as the local date and time; nothing for None."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


_COLOURS = {"succeeded": "green", "partial": "yellow", "failed": "red", "cancelled": "red"}
