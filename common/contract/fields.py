"""Types of fields that several models share, with their bounds; the settings share some.

Those made with TypeAliasType have a schema of their own name in `/openapi.json`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, ValidationInfo
from typing_extensions import TypeAliasType

from common.contract.reasons import otherwise

DEFAULT_COLLECTION = "default"
COLLECTION_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
METADATA_KEY = r"^[A-Za-z0-9_-]{1,64}$"
MOST_EXAMPLES = 8
"""Query images of one kind in a search: each costs a query of its own."""
LONGEST_WAIT_S = 60


class Profile(StrEnum):
    """How finely images are cut into regions."""

    FAST = "fast"
    BALANCED = "balanced"
    THOROUGH = "thorough"


class Noted(StrEnum):
    """What of an image's file can be added to its metadata."""

    DATE = "date"  # `date`, as 20240531, and `time`
    CAMERA = "camera"  # `camera`
    PLACE = "place"  # `latitude` and `longitude`
    FOLDER = "folder"  # `folder`: every folder on its path


class Sort(StrEnum):
    """In which order images are listed."""

    NEWEST = "newest"  # indexed last
    OLDEST = "oldest"  # indexed first
    NAME = "name"  # by path
    DATE = "date"  # taken last, by the metadata `date` and `time`; those without it at the end


class RegionSource(StrEnum):
    """What proposed a region."""

    DETECTOR = "detector"
    TILE = "tile"
    WHOLE = "whole"


class HitSource(StrEnum):
    """What proposed a hit: a region that is indexed, or a place that the search found by itself."""

    DETECTOR = "detector"
    TILE = "tile"
    WHOLE = "whole"
    ZOOM = "zoom"  # fitted to the query at full resolution
    LOCAL = "local"  # found by local features


class Likeness(StrEnum):
    """What a score says: likeness of the thing itself, or (also) of the kind of thing."""

    THING = "thing"
    KIND = "kind"


class ImagePart(StrEnum):
    """What there is of an indexed image."""

    FILE = "file"  # its own, byte for byte as it was posted
    THUMBNAIL = "thumbnail"
    REGIONS = "regions"  # the list of them, beside the file
    LOCAL_FEATURES = "local_features"
    POINTS = "points"  # its regions in the vector store
    WORDS = "words"  # its visual words there


def _parsed(value: object) -> object:
    """Read JSON that a form carries as text; a JSON body carries it as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise ValueError("must be JSON") from exc


def _each_parsed(value: object, info: ValidationInfo) -> object:
    """Read a list that a form carries as JSON, or as the JSON of each element in a field alone."""
    if isinstance(value, list) and info.mode == "python":  # a body of JSON is read in mode "json"
        return [_parsed(one) for one in value]
    found = _parsed(value)
    return [found] if isinstance(value, str) and isinstance(found, dict) else found


def _several(value: object) -> object:
    """Read words that a form carries as JSON, or with commas between them."""
    if isinstance(value, str):
        return _parsed(value) if value.startswith("[") else value.split(",")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _corners(value: object) -> object:
    """Read a box that a form carries as `x1,y1,x2,y2` or as a JSON list."""
    if isinstance(value, str):
        parts = value.strip().removeprefix("[").removesuffix("]").split(",")
        return [part.strip() for part in parts]
    return tuple(value) if isinstance(value, list) else value


def _readable(value: object) -> object:
    """Replace what is no character: an archive may name its members in any encoding."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


FromText = BeforeValidator(_parsed)
"""Marks a field that a form carries as JSON in a text."""
EachFromText = BeforeValidator(_each_parsed)
"""Marks a list that a form carries as JSON, or element by element."""

SeveralFromText = BeforeValidator(_several)
"""Marks a list of words that a form carries in one text."""

Said = Annotated[str, BeforeValidator(_readable)]
"""A name or a sentence that came from elsewhere."""
CollectionName = Annotated[str, Field(pattern=COLLECTION_PATTERN)]
MOST_URL_CHARS = 2048
Url = Annotated[str, Field(max_length=MOST_URL_CHARS)]
ImageId = Annotated[str, Field(max_length=64)]
Share = Annotated[float, Field(ge=0, le=1)]
BatchSize = Annotated[int, Field(ge=1, le=256)]
LocalFeatures = Annotated[int, Field(ge=0, le=10_000)]
Zoom = Annotated[int, Field(ge=0, le=50)]
VerifyBudgetMs = Annotated[int, Field(ge=1, le=60_000)]
WaitS = Annotated[float, Field(ge=0, le=LONGEST_WAIT_S)]
MaxSide = Annotated[
    int,
    Field(
        ge=16,
        le=8192,
        description="The longest side of the answer (pixels). What is larger is shrunk.",
    ),
]

Box = TypeAliasType(
    "Box",
    Annotated[
        tuple[
            Annotated[int, Field(ge=0, title="x1")],
            Annotated[int, Field(ge=0, title="y1")],
            Annotated[int, Field(ge=1, title="x2")],
            Annotated[int, Field(ge=1, title="y2")],
        ],
        BeforeValidator(_corners),
        Field(
            title="Box",
            description="`[x1, y1, x2, y2]` in whole pixels of the upright image, half open.",
        ),
    ],
)

MetadataKey = Annotated[str, Field(pattern=METADATA_KEY)]
Word = Annotated[str, Field(max_length=1000)]
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63, strict=True)]  # what Qdrant can hold
# Strict: a word that is too long must not pass as a number.
MetadataValue = Annotated[
    StrictBool | Whole | StrictFloat | Word | Annotated[list[Word], Field(max_length=64)],
    otherwise(
        "must be text of at most 1,000 characters, a number, true or false, or a list of at most "
        "64 texts"
    ),
]
Metadata = TypeAliasType(
    "Metadata",
    Annotated[
        dict[MetadataKey, MetadataValue],
        FromText,
        Field(max_length=64, title="Metadata", description="What a client notes of an image."),
    ],
)
MetadataChanges = TypeAliasType(
    "MetadataChanges",
    Annotated[
        dict[MetadataKey, MetadataValue | None],
        Field(
            min_length=1,
            max_length=64,
            title="MetadataChanges",
            description="New values of some keys; null removes a key.",
        ),
    ],
)
Filter = TypeAliasType(
    "Filter",
    Annotated[
        dict[MetadataKey, Any],
        FromText,
        Field(
            max_length=16,
            title="Filter",
            description=(
                'What the metadata must be. Equal to a value: `{"shop": "Basel"}`. Any of several: '
                '`{"tag": ["a", "b"]}`. Within a range: `{"year": {"gte": 2020, "lt": 2025}}`. '
                "All conditions must hold."
            ),
        ),
    ],
)
