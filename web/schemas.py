"""The requests, field by field. An unknown or malformed field is refused, never ignored."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
)

from common.errors import BadRequest
from common.vectors.aggregate import Aggregate

DEFAULT_COLLECTION = "default"
COLLECTION_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
MOST_EXAMPLES = 8
"""Pictures of one kind in a search: each costs a query of its own."""
METADATA_KEY = r"^[A-Za-z0-9_-]{1,64}$"


def _parsed(value: object) -> object:
    """A form carries JSON as text; a JSON body carries it as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise ValueError("must be JSON") from exc


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _corners(value: object) -> object:
    """A form carries a box as `x1,y1,x2,y2` or as a JSON list."""
    if isinstance(value, str):
        parts = value.strip().removeprefix("[").removesuffix("]").split(",")
        return [part.strip() for part in parts]
    return tuple(value) if isinstance(value, list) else value


Collection = Annotated[str, Field(pattern=COLLECTION_PATTERN)]
MetadataKey = Annotated[str, Field(pattern=METADATA_KEY)]
Word = Annotated[str, Field(max_length=1000)]
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63, strict=True)]  # what Qdrant can hold
# Strict: a word that is too long must not pass as a number.
MetadataValue = (
    StrictBool | Whole | StrictFloat | Word | Annotated[list[Word], Field(max_length=64)]
)
Metadata = Annotated[
    dict[MetadataKey, MetadataValue], BeforeValidator(_parsed), Field(max_length=64)
]
Corners = Annotated[
    tuple[
        Annotated[int, Field(ge=0)],
        Annotated[int, Field(ge=0)],
        Annotated[int, Field(ge=1)],
        Annotated[int, Field(ge=1)],
    ],
    BeforeValidator(_corners),
]
Url = Annotated[str, Field(max_length=2048)]
ImageId = Annotated[str, Field(max_length=64)]
Filter = Annotated[dict[MetadataKey, Any], BeforeValidator(_parsed), Field(max_length=16)]


class Request(BaseModel):
    """What all requests have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class IndexRequest(Request):
    """The options of `POST /images`, over the server's defaults."""

    collection: Collection = DEFAULT_COLLECTION
    metadata: Metadata | None = None
    confidence_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=256)] | None = None
    profile: Literal["fast", "balanced", "thorough"] | None = None
    local_features: Annotated[int, Field(ge=0, le=10_000)] | None = None


class UrlsRequest(IndexRequest):
    """`POST /images` with a JSON body."""

    urls: Annotated[list[Url], Field(min_length=1)]


class UrlExample(Request):
    """A picture to be downloaded, or the part of it in `box`."""

    url: Url
    box: Corners | None = None


class ImageExample(Request):
    """An indexed photo, or the part of it in `box`."""

    image_id: ImageId
    box: Corners | None = None


Examples = Annotated[
    list[UrlExample | ImageExample], BeforeValidator(_parsed), Field(max_length=MOST_EXAMPLES)
]


class SearchRequest(Request):
    """`POST /search`: what to search for (pictures, a text, or both) and options."""

    collection: Collection = DEFAULT_COLLECTION
    url: Url | None = None
    image_id: ImageId | None = None
    text: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    text_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    box: Corners | None = None
    examples: Examples = Field(default_factory=list)
    negatives: Examples = Field(default_factory=list)
    detect: bool = False
    rotate: bool = False
    same_kind: Annotated[float, Field(ge=0, le=1)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 10
    hits_per_image: Annotated[int, Field(ge=1, le=100)] = 3
    min_score: Annotated[float, Field(ge=-1, le=1)] = -1.0
    aggregate: Aggregate = Aggregate.MAX
    filter: Filter = Field(default_factory=dict)
    zoom: Annotated[int, Field(ge=0, le=50)] | None = None
    verify: bool | None = None
    verify_budget_ms: Annotated[int, Field(ge=1, le=60_000)] | None = None
    wait: Annotated[float, Field(ge=0, le=60)] = 10.0

    def check_query(self, *, files: int, negative_files: int) -> None:
        """Raise BadRequest unless the request says in one way what it searches for."""
        given = [name for name in ("url", "image_id") if getattr(self, name) is not None]
        if files:
            given.insert(0, "file")
        if len(given) > 1:
            raise BadRequest(
                f"A search takes one of file, url and image_id; {' and '.join(given)} were given. "
                "More pictures of one thing go into 'examples'."
            )
        if not given and self.text is None and not self.examples:
            raise BadRequest(
                "A search takes a picture (one of file, url and image_id), a text, or both; "
                "none was given."
            )
        for name in ("box", "detect"):
            if getattr(self, name) and not given:
                raise BadRequest(f"'{name}' belongs to a picture: file, url or image_id.")
        if max(files, negative_files) > MOST_EXAMPLES:
            raise BadRequest(f"At most {MOST_EXAMPLES} files go into one field of a search.")


class ItemsPage(Request):
    """A page of a job's items."""

    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class InCollection(Request):
    """What names an image beside its id."""

    collection: Collection = DEFAULT_COLLECTION


class Wait(Request):
    """How long an answer may wait for a job to end, in seconds."""

    wait: Annotated[float, Field(ge=0, le=60)] = 0.0
