"""The query strings of the calls that read, field by field."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.jobs import Kind, Status
from common.paging import FORM, Cursor, Place
from web.schemas import (
    COLLECTION_PATTERN,
    MOST_EXAMPLES,
    Collection,
    Corners,
    Filter,
    InCollection,
    Request,
)

DELETE_WAIT_S = 10.0
Offset = Annotated[int, Field(ge=0, le=1_000_000_000)]
Limit = Annotated[int, Field(ge=1, le=1000)]


class ListPage(Request):
    """A page of a list."""

    offset: Offset = 0
    limit: Limit = 100
    cursor: Annotated[str, Field(pattern=FORM)] | None = None

    def place(self) -> Place:
        """Return where the page begins."""
        after = None if self.cursor is None else Cursor.parse(self.cursor)
        return Place(after, self.offset)


class ImagesPage(ListPage):
    """`GET /images`."""

    collection: Collection = "default"
    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    filter: Filter = Field(default_factory=dict)


class JobsPage(ListPage):
    """`GET /jobs`."""

    kind: Kind | None = None
    status: Status | None = None


class FileQuery(InCollection):
    """`GET /images/{id}/file`."""

    box: Corners | None = None
    max_side: Annotated[int, Field(ge=16, le=8192)] | None = None


class AskedQuery(Request):
    """`GET /jobs/{id}/query`."""

    number: Annotated[int, Field(ge=0, lt=MOST_EXAMPLES)] = 0
    negative: bool = False
    box: Corners | None = None
    max_side: Annotated[int, Field(ge=16, le=8192)] | None = None


class CropQuery(InCollection):
    """`GET /images/{id}/crop`."""

    box: Corners
    max_side: Annotated[int, Field(ge=16, le=8192)] = 1024


class RegionQuery(InCollection):
    """`GET /images/{id}/regions/{number}.jpg`."""

    max_side: Annotated[int, Field(ge=16, le=8192)] = 1024


class Deletion(InCollection):
    """`DELETE /images/{id}`."""

    wait: Annotated[float, Field(ge=0, le=60)] = DELETE_WAIT_S


class NewCollection(Request):
    """`POST /collections`."""

    name: Annotated[str, Field(pattern=COLLECTION_PATTERN)]
    encoder: Annotated[str, Field(max_length=1000)] | None = None
