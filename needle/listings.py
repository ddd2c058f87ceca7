"""Lists that the service answers in pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx

from needle import calls
from needle.exchange import Service
from needle.indexed import Image
from needle.jobs import Item, Job
from needle.steps import PREFIX, Call, Steps

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
    page: int = PAGE


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket: its URL (`s3://BUCKET/KEY`) and its size."""

    url: str
    bytes: int

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> StoredObject:
        """Read the JSON form."""
        return cls(str(raw["url"]), int(raw["bytes"]))


@dataclass(frozen=True)
class Place:
    """Where a page begins: after so many rows, at the cursor that the page before has named."""

    after: int = 0
    cursor: str | None = None


def page(
    service: Service, listing: Listing[T], place: Place
) -> Steps[tuple[list[T], Place | None]]:
    """Return a page's rows, and the place of the next one, None after the last.

    An answer names its `next` page by a URL with a cursor, since with an offset what is added
    meanwhile moves the pages; where it does not, the pages end with its `total`.
    """
    left = listing.page
    if listing.limit is not None:
        left = min(left, listing.limit - place.after)
    if left <= 0:
        return [], None
    where: dict[str, Any] = {"cursor": place.cursor} if place.cursor else {}
    if place.after and not place.cursor:
        where = {"offset": place.after}
    asked = {**listing.params, **where, "limit": left}

    def read(body: dict[str, Any]) -> tuple[list[T], Place | None]:
        rows = [listing.read(raw) for raw in body[listing.key]]
        after = place.after + len(rows)
        if "next" in body:
            cursor = httpx.URL(str(body["next"] or "")).params.get("cursor")
            return rows, Place(after, cursor) if body["next"] else None
        more = bool(rows) and after < int(body.get("total") or 0)
        return rows, Place(after) if more else None

    return (yield from service.read(Call("GET", listing.path, params=asked), read))


def items(job: Job | str) -> list[Listing[Item]]:
    """Yield how each image of an index job ended, in the order in which they were sent."""
    return [
        Listing(f"{PREFIX}/jobs/{part}/items", "items", Item.from_json) for part in calls.ids(job)
    ]


def images(
    *,
    collection: str | None = None,
    name: str | None = None,
    filter: Mapping[str, Any] | None = None,
    ids: Sequence[str] | None = None,
    sort: str | None = None,
    limit: int | None = None,
) -> list[Listing[Image]]:
    """Yield the indexed images, newest first unless `sort` says otherwise; at most `limit`.

    `name` is a part of the path, `filter` is for metadata, as a search's is; `ids` are at most 100
    of which those are wanted that are indexed.
    """
    named = None if ids is None else ",".join(ids)
    params = calls.form(collection=collection, name=name, filter=filter, ids=named, sort=sort)
    return [Listing(f"{PREFIX}/images", "images", Image.from_json, params, limit)]


def jobs(
    *, kind: str | None = None, status: str | None = None, limit: int | None = None
) -> list[Listing[Job]]:
    """Yield the jobs without their results, newest first; with `limit`, at most so many."""
    params = calls.given(kind=kind, status=status)
    return [Listing(f"{PREFIX}/jobs", "jobs", Job.from_json, params, limit)]


def objects(prefix: str) -> list[Listing[StoredObject]]:
    """Yield what is in a bucket that the service may index from, by key.

    `prefix` is `s3://BUCKET/PREFIX`; `index_urls` takes the URLs.
    """
    return [Listing(f"{PREFIX}/objects", "objects", StoredObject.from_json, {"prefix": prefix})]
