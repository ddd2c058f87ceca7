"""Lists of images in another order than that of Redis, which is the newest first.

Such a list is sorted when it is asked for: every record of the collection is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from common.catalogue import Catalogue, ImageRecord
from common.contract.fields import Sort
from common.contract.parameters import ImagesPage
from common.errors import BadRequest
from common.paths import comparable

MOST_SORTED = 20_000
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class SortedPage:
    """Rows, how many there are in all, and the offset of the next page; None after the last."""

    rows: list[ImageRecord]
    total: int
    next: int | None


def page(
    catalogue: Catalogue, asked: ImagesPage, keep: Callable[[ImageRecord], bool] | None
) -> SortedPage:
    """Return the page that is asked for. Raises BadRequest where there are too many to sort."""
    if asked.cursor is not None:
        raise BadRequest("A cursor goes with sort=newest; other orders are paged by offset.")
    if catalogue.count(asked.collection) > MOST_SORTED:
        raise BadRequest(
            f"A collection of more than {MOST_SORTED:,} images is listed newest first alone."
        )
    every = (record for record in catalogue.every(asked.collection) if record.indexed_at)
    found = _ordered((r for r in every if keep is None or keep(r)), asked.sort)
    after = asked.offset + asked.limit
    rows = found[asked.offset : after]
    return SortedPage(rows, len(found), after if after < len(found) else None)


def _ordered(records: Iterable[ImageRecord], sort: Sort) -> list[ImageRecord]:
    if sort is Sort.OLDEST:
        return sorted(records, key=lambda one: (one.indexed_at or 0.0, one.image_id))
    by_name = sorted(records, key=lambda one: (_natural(one.path), one.image_id))
    return by_name if sort is Sort.NAME else sorted(by_name, key=_taken, reverse=True)


def _natural(path: str) -> list[tuple[int, int, str]]:
    """Return what paths are compared by: without accents, and with numbers as numbers.

    So Ä stands beside A, and IMG_9 before IMG_10.
    """
    apart = unicodedata.normalize("NFKD", comparable(path))
    parts = _DIGITS.split("".join(mark for mark in apart if not unicodedata.combining(mark)))
    return [
        (0, int(part[:18]), part) if number % 2 else (1, 0, part)
        for number, part in enumerate(parts)
    ]


def _taken(record: ImageRecord) -> tuple[float, str]:
    date, time = record.metadata.get("date"), record.metadata.get("time")
    clock = time if isinstance(time, str) else ""
    if isinstance(date, bool) or not isinstance(date, int | float):
        return (float("-inf"), clock)
    return (float(date), clock)
