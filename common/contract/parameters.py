"""What a query string may say, call by call."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.contract.fields import (
    DEFAULT_COLLECTION,
    MOST_EXAMPLES,
    Box,
    CollectionName,
    Filter,
    ImageId,
    MaxSide,
    SeveralFromText,
    Share,
    Sort,
    WaitS,
)
from common.contract.requests import Request
from common.jobs import Kind, Status
from common.paging import FORM, Cursor, Place

DELETE_WAIT_S = 10.0
MOST_IDS = 100
"""Ids in a query string, whose length servers bound."""


class Nothing(Request):
    """A call that takes no parameters: any that comes is refused."""


class InCollection(Request):
    """What names an image beside its id."""

    collection: CollectionName = Field(
        default=DEFAULT_COLLECTION, description="The collection of the image."
    )


class Wait(Request):
    """How long an answer may wait for a job to end."""

    wait: WaitS = Field(
        default=0.0,
        description="The answer is held until the job has ended, at most so many seconds.",
    )


class ItemsPage(Request):
    """`GET /jobs/{id}/items`."""

    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        default=0, description="How many items are passed over."
    )
    limit: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100, description="The most items in the answer."
    )


class ResultsPage(Request):
    """`GET /jobs/{id}/results`."""

    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        default=0, description="How many queries are passed over."
    )
    limit: Annotated[int, Field(ge=1, le=100)] = Field(
        default=20,
        description="The most queries in the answer; fewer where they found more than 4 MB.",
    )


class ResultsTable(Request):
    """`GET /jobs/{id}/results.csv`."""

    min_probability: Share | None = Field(
        default=None,
        description="Only images that show the query so probably; with `detect`, so great a share "
        "of its things. Unset: 0.5, and with several things images that probably show any.",
    )


class ListPage(Request):
    """A page of a list that is newest first."""

    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        default=0,
        description=(
            "How many rows are passed over, from the newest or from the cursor on. `cursor` is "
            "surer where rows come and go."
        ),
    )
    limit: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100, description="The most rows in the answer."
    )
    cursor: Annotated[str, Field(pattern=FORM)] | None = Field(
        default=None, description="Where the page begins, from the `next` of the page before."
    )

    def place(self) -> Place:
        """Return where the page begins."""
        after = None if self.cursor is None else Cursor.parse(self.cursor)
        return Place(after, self.offset)


class ImagesPage(ListPage):
    """`GET /images`."""

    collection: CollectionName = Field(
        default=DEFAULT_COLLECTION, description="The collection that is listed."
    )
    name: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="A part of its path, folders included, in upper or lower case."
    )
    filter: Filter = Field(
        default_factory=dict, description="What the metadata of the images must be."
    )
    ids: Annotated[list[ImageId], SeveralFromText, Field(max_length=MOST_IDS)] | None = Field(
        default=None,
        description="Only those of these ids that are indexed, in this order and in one answer: "
        "which of them are there?",
    )
    sort: Sort = Field(
        default=Sort.NEWEST,
        description=(
            "Which comes first: what was indexed last (`newest`) or first (`oldest`), by path "
            "(`name`), or what was taken last (`date`, by the metadata `date` and `time`)."
        ),
    )


class JobsPage(ListPage):
    """`GET /jobs`."""

    kind: Kind | None = Field(default=None, description="Only jobs of this kind are listed.")
    status: Status | None = Field(default=None, description="Only jobs of this status are listed.")


class ObjectsPage(Request):
    """`GET /objects`."""

    prefix: Annotated[str, Field(pattern=r"^s3://[^/]+(/.*)?$", max_length=2048)] = Field(
        description="What is listed: a bucket, a prefix in it (`s3://BUCKET/PREFIX`), or a tar "
        "archive (`s3://BUCKET/KEY.tar/`)."
    )
    limit: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1000, description="The most objects in the answer."
    )
    cursor: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="Where the page begins, from the `next` of the page before."
    )


class FileQuery(InCollection):
    """`GET /images/{id}/file`."""

    box: Box | None = Field(default=None, description="The part of the image that is answered.")
    max_side: MaxSide | None = None


class CropQuery(InCollection):
    """`GET /images/{id}/crop`."""

    box: Box = Field(description="The part of the image that is answered.")
    max_side: MaxSide = 1024


class RegionQuery(InCollection):
    """`GET /images/{id}/regions/{number}.jpg`."""

    max_side: MaxSide = 1024


class QueryFileQuery(Request):
    """`GET /jobs/{id}/query`."""

    number: Annotated[int, Field(ge=0, lt=MOST_EXAMPLES)] = Field(
        default=0, description="Which of the files that were posted in that field, from 0."
    )
    negative: bool = Field(
        default=False, description="Whether the field is `not_file`, with what is not wanted."
    )
    box: Box | None = Field(default=None, description="The part of the image that is answered.")
    max_side: MaxSide | None = None


class Change(InCollection):
    """`DELETE /images/{id}` and `PATCH /images/{id}`."""

    wait: WaitS = Field(
        default=DELETE_WAIT_S,
        description="The answer is held until the job has ended, at most so many seconds.",
    )
