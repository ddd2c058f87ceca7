"""Pages of lists that are newest first: sorted sets in Redis, scored by Unix time.

A cursor names the entry after which a page begins. What is added or removed meanwhile moves no
page: nothing comes twice, and nothing is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from common.errors import BadRequest
from common.redis import Client

T = TypeVar("T")
FORM = r"^([0-9]{1,12}\.[0-9]{7})_([A-Za-z0-9-]{1,64})$"
"""A cursor as clients carry it. Seven places: what a float holds of the time of day."""
MOST_SEEN = 5_000
"""A page that looks for something gives up for now after so many entries; its cursor goes on."""
LEAST_READ = 256


@dataclass(frozen=True)
class Cursor:
    """The entry of that time (Unix seconds) and name."""

    at: float
    name: str

    def text(self) -> str:
        """Return the form that clients carry and need not understand."""
        return f"{self.at:.7f}_{self.name}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read that form. Raises BadRequest for anything else."""
        found = re.match(FORM, text)
        if found is None:
            raise BadRequest("The cursor is none that a page has given.")
        return cls(float(found[1]), found[2])


@dataclass(frozen=True)
class Place:
    """Where a page begins: so many entries after an entry, or after the newest."""

    after: Cursor | None = None
    offset: int = 0


@dataclass(frozen=True)
class Page(Generic[T]):
    """Rows, and where the next page begins; None after the last one."""

    rows: list[T]
    next: Cursor | None


def read(
    redis: Client,
    key: str,
    load: Callable[[Sequence[str]], Mapping[str, T]],
    *,
    place: Place,
    limit: int,
    keep: Callable[[T], bool] | None = None,
) -> Page[T]:
    """Return `limit` rows of the sorted set `key`, by name from `load`, that `keep` wants.

    A page may hold fewer rows and yet have a next one: after MOST_SEEN entries it stops looking.
    """
    rows: list[T] = []
    after, offset, seen = place.after, place.offset, 0
    count = limit + 1 if keep is None else max(limit + 1, LEAST_READ)
    while True:
        batch = _entries(redis, key, after, offset, count)
        found = load([name for name, _ in batch])
        for name, at in batch:
            if len(rows) == limit or seen == MOST_SEEN:
                return Page(rows, after)
            after, seen = Cursor(at, name), seen + 1
            if name in found and (keep is None or keep(found[name])):
                rows.append(found[name])
        if len(batch) < count:
            return Page(rows, None)
        offset = 0


def _entries(
    redis: Client, key: str, after: Cursor | None, offset: int, count: int
) -> list[tuple[str, float]]:
    found: list[tuple[str, float]]
    if after is None:
        found = redis.zrevrange(key, offset, offset + count - 1, withscores=True)
        return found
    # Entries of the same time are in the order of their names, the greatest first.
    tied: list[str] = redis.zrangebyscore(key, after.at, after.at)
    passed = sum(name >= after.name for name in tied)
    found = redis.zrevrangebyscore(
        key, after.at, "-inf", start=passed + offset, num=count, withscores=True
    )
    return found
