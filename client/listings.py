"""Lists that the service answers in pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from client import calls
from client.exchange import Service
from client.jobs import Item, Job
from client.results import Image
from client.steps import PREFIX, Call, Steps

PAGE = 1000
T = TypeVar("T")


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A list: where its pages are, under which key its rows, how a row is read."""

    path: str
    key: str
    read: Callable[[Mapping[str, Any]], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None


def page(service: Service, listing: Listing[T], offset: int) -> Steps[tuple[list[T], int | None]]:
    """Return the rows from `offset` on, and the offset of the next page, None after the last."""
    left = PAGE if listing.limit is None else min(PAGE, listing.limit - offset)
    if left <= 0:
        return [], None
    asked = {**listing.params, "offset": offset, "limit": left}
    body = yield from service.json(Call("GET", listing.path, params=asked))
    rows = [listing.read(raw) for raw in body.get(listing.key) or ()]
    after = offset + len(rows)
    return rows, after if rows and after < int(body.get("total") or 0) else None


def items(job: Job | str) -> list[Listing[Item]]:
    """Yield how each photo of an index job ended, in the order in which they were sent."""
    return [
        Listing(f"{PREFIX}/jobs/{part}/items", "items", Item.from_json) for part in calls.ids(job)
    ]


def images(*, collection: str | None = None, limit: int | None = None) -> list[Listing[Image]]:
    """Yield every indexed photo, newest first; with `limit`, at most so many."""
    params = calls.given(collection=collection)
    return [Listing(f"{PREFIX}/images", "images", Image.from_json, params, limit)]


def jobs(*, limit: int | None = None) -> list[Listing[Job]]:
    """Yield the jobs, newest first; NeedleApiError 404 or 405 from a service that lists none."""
    return [Listing(f"{PREFIX}/jobs", "jobs", Job.from_json, limit=limit)]
