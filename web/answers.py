"""The answers, field by field: what `/openapi.json` says of them, and what the tests hold them to.

The routes build plain dictionaries; nothing is validated on the way out. Fields may be added to
an answer, so that a client should pass over those that it does not know.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.jobs import ItemStatus, Kind, Status

Corners = tuple[int, int, int, int]
Time = float


class Problem(BaseModel):
    """What went wrong: `code` for programs, `message`, one sentence, for people; and details."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str


class Error(BaseModel):
    """Every answer of a status from 400 on."""

    model_config = ConfigDict(extra="forbid")

    error: Problem


class Progress(BaseModel):
    """How far a job is: items ended well, items failed; items per second, seconds left."""

    total: int
    done: int
    failed: int
    rate_per_s: float | None
    eta_s: float | None


class ImageUrls(BaseModel):
    """Paths on this service."""

    image: str
    file: str
    thumbnail: str


class MatchUrls(ImageUrls):
    """Paths on this service; `crop` is the best hit."""

    crop: str


class CropUrls(BaseModel):
    """Path of the pixels of a box."""

    crop: str


class Hit(BaseModel):
    """A place in a photo. From `quad` on, fields are there where it is `verified`.

    `object` is the number of the thing that it shows, where each was searched for.
    """

    box: Corners
    score: float
    source: Literal["detector", "tile", "whole", "zoom", "local"]
    label: str | None
    confidence: float | None
    urls: CropUrls
    verified: bool = False
    quad: list[list[float]] | None = None
    rotation: float | None = None
    mirrored: bool | None = None
    inliers: int | None = None
    evidence: float | None = None
    coverage: float | None = None
    object: int | None = None


class Match(BaseModel):
    """A photo that a search found, with its hits, the best first.

    `probability` is that of showing what was searched for, null in old results; `rise` the score on
    the search's own scale, 0 like other photos, 1 equal; `likeness` what the score is one of.
    """

    image_id: str
    score: float
    distance: float
    filename: str
    width: int
    height: int
    metadata: dict[str, Any]
    hits: list[Hit]
    urls: MatchUrls
    verified: bool = False
    probability: float | None = None
    rise: float | None = None
    likeness: Literal["thing", "kind"] = "thing"


class Thing(BaseModel):
    """A thing that was detected in the query picture: its box there, null for all of it.

    `confidence` is the detector's; `probability` that any photo shows it, `found` whether one
    probably does.
    """

    box: Corners | None
    label: str | None
    confidence: float | None
    found: bool
    probability: float


class Asked(BaseModel):
    """What was searched for; `filename` where a picture was posted. What is null was not given."""

    filename: str | None = None
    url: str | None = None
    image_id: str | None = None
    box: Corners | None = None
    text: str | None = None
    text_weight: float | None = None
    detect: bool | None = None
    same_kind: float | None = None
    examples: list[dict[str, Any]] | None = None
    negatives: list[dict[str, Any]] | None = None


class AskedUrls(BaseModel):
    """Paths of the pictures that were asked with.

    `query` is the one that was searched for, null where there is none or where it was downloaded;
    `files` and `not_files` are those that were posted, in their order.
    """

    query: str | None
    files: list[str]
    not_files: list[str]


class SearchResult(BaseModel):
    """What a search found, the best first, and what it took; what was asked, and its pictures.

    `found` tells whether any photo probably shows it, `probability` how sure that is of the first;
    `objects` are the things of the picture where each was to be searched for.
    """

    found: bool | None = None
    probability: float | None = None
    objects: list[Thing] = Field(default_factory=list)

    query: Asked
    urls: AskedUrls
    matches: list[Match]
    timings_ms: dict[str, float]
    index: dict[str, int]
    verification: dict[str, Any] = Field(default_factory=dict)


class DeletionResult(BaseModel):
    """The photo that was deleted."""

    collection: str
    image_id: str


class ListedJob(BaseModel):
    """A job without its result. Times are Unix seconds."""

    job_id: str
    kind: Kind
    status: Status
    progress: Progress
    error: Problem | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class Job(ListedJob):
    """A job. A search that succeeded has a result, as has the deletion of a photo."""

    result: SearchResult | DeletionResult | None


class Jobs(BaseModel):
    """A page of the jobs, newest first; `total` is null where a status is asked for."""

    jobs: list[ListedJob]
    total: int | None
    next: str | None


class Item(BaseModel):
    """One photo of a job: a file, an archive's member or a URL."""

    index: int
    name: str
    image_id: str | None
    status: ItemStatus
    error: Problem | None


class Items(BaseModel):
    """A page of a job's items, in the order in which they were posted."""

    items: list[Item]
    total: int


class _Photo(BaseModel):
    image_id: str
    collection: str
    filename: str
    media_type: str
    width: int
    height: int
    bytes: int
    metadata: dict[str, Any]
    indexed_at: Time | None
    urls: ImageUrls


class Image(_Photo):
    """A photo: upright size in pixels, size of its file, how many regions of it are indexed."""

    regions: int


class Region(BaseModel):
    """An indexed box of a photo, with the detector's word for it where it is a detection."""

    box: Corners
    source: Literal["detector", "tile", "whole"]
    label: str | None
    confidence: float | None
    urls: CropUrls


class ImageWithRegions(_Photo):
    """A photo with the regions themselves."""

    regions: list[Region]


class Images(BaseModel):
    """A page of the photos, newest first; `total` is null where some are looked for."""

    images: list[Image]
    total: int | None
    next: str | None


class Collection(BaseModel):
    """A collection, the encoder that it is bound to, and how many photos it has."""

    name: str
    encoder: str
    dim: int
    images: int


class CollectionWithRegions(Collection):
    """A collection; `deleting` is the job that deletes it, null when none does."""

    regions: int
    deleting: str | None


class Collections(BaseModel):
    """Every collection, by name."""

    collections: list[Collection]


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Whether everything is there; 503 until it is."""

    status: Literal["ready", "starting", "unavailable"]
    redis: bool
    workers: dict[str, int] = Field(default_factory=dict)
    queues: dict[str, int] = Field(default_factory=dict)
    models: dict[str, Any] | None = None
    error: Problem | None = None
