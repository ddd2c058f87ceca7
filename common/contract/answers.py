"""What answers say, field by field. Fields may be added, so that a client should pass over those
that it does not know; a field that has a default may be absent.

What a search found exists twice: as the worker leaves it in the job (`FoundHit`, `FoundMatch`,
`Findings`), and as clients see it, with the query and the URLs that web adds.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from common.contract.fields import Box, HitSource, Likeness, RegionSource, Said
from common.contract.requests import QueryFields
from common.jobs import ItemStatus, Kind, Status

Wider = TypeVar("Wider", bound=BaseModel)


class Answer(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(frozen=True)


def widened(found: BaseModel, wider: type[Wider], **more: object) -> Wider:
    """Return a value as a model that has the same fields and some `more`; none is checked again."""
    set_fields = found.model_fields_set | more.keys()
    return wider.model_construct(set_fields, **{**vars(found), **more})


class Problem(Answer):
    """What went wrong; some codes have details, which are fields of their own."""

    model_config = ConfigDict(extra="allow")

    code: str = Field(description="What kind of problem it is, for programs.")
    message: Said = Field(description="What went wrong, in one sentence for people.")


class Error(Answer):
    """Every answer of a status from 400 on."""

    model_config = ConfigDict(extra="forbid")

    error: Problem = Field(description="What went wrong.")


class Progress(Answer):
    """How far a job is."""

    total: int = Field(description="How many items the job has.")
    done: int = Field(description="How many items ended well.")
    failed: int = Field(description="How many items failed.")
    rate_per_s: float | None = Field(
        description="Items ended per second; null before the first one."
    )
    eta_s: float | None = Field(
        description="Seconds until the job has ended at that rate; null where it is unknown."
    )


class ImageUrls(Answer):
    """Where an image is, as paths on this service."""

    image: str = Field(description="The image with its regions (JSON).")
    file: str = Field(description="The image's file, byte for byte.")
    thumbnail: str = Field(description="A small JPEG of the image.")


class MatchUrls(ImageUrls):
    """Where a match's image is, as paths on this service."""

    crop: str = Field(description="The pixels of the best hit (JPEG).")


class CropUrls(Answer):
    """Where the pixels of a box are, as a path on this service."""

    crop: str = Field(description="The pixels inside the box (JPEG).")


class FoundHit(Answer):
    """A place in an image, without URLs."""

    box: Box = Field(description="Where it is in the image.")
    score: float = Field(description="Cosine similarity to the query, -1..1.")
    source: HitSource = Field(description="What proposed the place.")
    label: str | None = Field(None, description="The detector's word for it, if it is a detection.")
    confidence: float | None = Field(None, description="The detector's confidence, 0..1.")
    verified: bool = Field(False, description="Whether local features found the query here again.")
    quad: list[list[float]] | None = Field(
        None,
        description=(
            "The query's corners `[x, y]` in the image, from its top left, clockwise. This field "
            "and those of the proof below are there where the hit is verified."
        ),
    )
    rotation: float | None = Field(None, description="How far it is turned, degrees clockwise.")
    mirrored: bool | None = Field(None, description="Whether the image shows it mirrored.")
    inliers: int | None = Field(None, description="How many features agree on one transform.")
    evidence: float | None = Field(
        None, description="Chance would find so many inliers once in 10^evidence images."
    )
    coverage: float | None = Field(
        None, description="The share of the query that the inliers lie around, 0..1."
    )
    object: int | None = Field(
        None,
        description="Which of the result's `objects` it shows, where each was searched for.",
    )


class Hit(FoundHit):
    """A place in an image."""

    urls: CropUrls = Field(description="Where its pixels are.")


class FoundMatch(Answer):
    """An image that a search found, without URLs."""

    image_id: str = Field(description="The id of the image.")
    score: float = Field(description="Cosine similarity of the image to the query, -1..1.")
    distance: float = Field(description="1 - score.")
    filename: Said = Field(description="The name of the image's file.")
    width: int = Field(description="The width of the upright image (pixels).")
    height: int = Field(description="The height of the upright image (pixels).")
    metadata: dict[str, Any] = Field(description="What was noted of the image.")
    hits: tuple[FoundHit, ...] = Field(description="The places in the image, the best first.")
    verified: bool = Field(
        False, description="Whether local features found the query in the image again."
    )
    probability: float | None = Field(
        None,
        description=(
            "How probable it is that the image shows the query, 0..1; null in old results."
        ),
    )
    rise: float | None = Field(
        None,
        description=(
            "The score on the search's own scale: 0 like images that do not show the query, 1 for "
            "an equal image."
        ),
    )
    likeness: Likeness = Field(
        Likeness.THING, description="Whether the score is of the thing itself or of its kind."
    )


class Match(FoundMatch):
    """An image that a search found."""

    hits: tuple[Hit, ...] = Field(description="The places in the image, the best first.")
    urls: MatchUrls = Field(description="Where the image is.")


class Thing(Answer):
    """A thing that was detected in the query, and whether it was found."""

    box: Box | None = Field(description="Where it is in the query; null for all of the query.")
    label: str | None = Field(description="The detector's word for it.")
    confidence: float | None = Field(description="The detector's confidence, 0..1.")
    found: bool = Field(description="Whether an image probably shows it.")
    probability: float = Field(description="How probable that is, 0..1.")


class Searched(Answer):
    """The size of the collection that was searched."""

    images: int = Field(0, description="The images in the collection.")
    regions: int = Field(0, description="The regions of these images.")


class Verification(Answer):
    """How many images local features were compared with, and what came of it."""

    checked: int = Field(0, description="How many images were compared by their local features.")
    verified: int = Field(0, description="How many of these show the query.")
    complete: bool = Field(True, description="Whether the time sufficed for all of them.")


class Findings(Answer):
    """What a search found and what it took, without the query and without URLs."""

    found: bool | None = Field(
        None, description="Whether an image probably shows the query; null in old results."
    )
    probability: float | None = Field(
        None, description="How probable that is of the surest match, 0..1; null in old results."
    )
    objects: list[Thing] = Field(
        default_factory=list, description="The things in the query, where `detect` was asked for."
    )
    matches: tuple[FoundMatch, ...] = Field(description="The images, the best first.")
    timings_ms: dict[str, float] = Field(
        default_factory=dict,
        description="How long each step took, the wait in the queue and the total (milliseconds).",
    )
    index: Searched = Field(
        default_factory=lambda: Searched(images=0, regions=0), description="How much was searched."
    )
    verification: Verification = Field(
        default_factory=lambda: Verification(checked=0, verified=0, complete=True),
        description="What verifying did.",
    )


class Query(QueryFields):
    """What was searched for, as the request said it; what is null was not given."""

    model_config = ConfigDict(extra="ignore")

    filename: Said | None = Field(
        None, description="The name of the file that was posted as the query."
    )


class QueryUrls(Answer):
    """Where the images of the query are, as paths on this service."""

    query: str | None = Field(
        description="The image that was searched for; null where it was downloaded, or is none."
    )
    files: list[str] = Field(description="The images that were posted as `file`, in their order.")
    not_files: list[str] = Field(
        description="The images that were posted as `not_file`, in their order."
    )


class SearchResult(Findings):
    """What a search found and what it took."""

    query: Query = Field(description="What was searched for.")
    urls: QueryUrls = Field(description="Where the images of the query are.")
    matches: tuple[Match, ...] = Field(description="The images, the best first.")


class DeletionResult(Answer):
    """The image that was deleted."""

    collection: str = Field(description="The collection that it was in.")
    image_id: str = Field(description="The id of the image.")


class ListedJob(Answer):
    """A job without its result. Times are Unix seconds."""

    job_id: str = Field(description="The id of the job.")
    kind: Kind = Field(description="What the job does.")
    status: Status = Field(description="How the job stands.")
    progress: Progress = Field(description="How far the job is.")
    error: Problem | None = Field(description="Why the job as a whole failed.")
    created_at: float = Field(description="When the job was recorded.")
    started_at: float | None = Field(description="When the first of its tasks began.")
    finished_at: float | None = Field(description="When the job ended.")


class Job(ListedJob):
    """A job. Times are Unix seconds."""

    result: SearchResult | DeletionResult | None = Field(
        description="What a search found, or which image was deleted, once the job has succeeded."
    )


class Jobs(Answer):
    """A page of the jobs, newest first."""

    jobs: list[ListedJob] = Field(description="The jobs of this page.")
    total: int | None = Field(
        description="How many jobs there are; null where a status is asked for."
    )
    next: str | None = Field(description="The path of the next page; null on the last one.")


class Item(Answer):
    """One image of a job: a file, an archive's member or a URL."""

    index: int = Field(description="Its place in the request, from 0.")
    name: Said = Field(description="The client's name for it: a file name or a URL.")
    image_id: str | None = Field(description="The id of the image; null where it has none yet.")
    status: ItemStatus = Field(description="How the item stands.")
    error: Problem | None = Field(description="Why it failed.")


class Items(Answer):
    """A page of a job's items, in the order in which they were posted."""

    items: list[Item] = Field(description="The items of this page.")
    total: int = Field(description="How many items the job has.")


class IndexedImage(Answer):
    """What is known of an image, its regions aside."""

    image_id: str = Field(description="The id of the image.")
    collection: str = Field(description="The collection that it is in.")
    filename: Said = Field(description="The name of its file.")
    media_type: str = Field(description="The media type of its file.")
    width: int = Field(description="The width of the upright image (pixels).")
    height: int = Field(description="The height of the upright image (pixels).")
    bytes: int = Field(description="The size of its file (bytes).")
    metadata: dict[str, Any] = Field(description="What was noted of the image.")
    indexed_at: float | None = Field(
        description="When it was indexed (Unix seconds); null until it is."
    )
    urls: ImageUrls = Field(description="Where the image is.")


class Image(IndexedImage):
    """An image in a list."""

    regions: int = Field(description="How many regions of it are indexed.")


class FoundRegion(Answer):
    """An indexed box of an image, without URLs."""

    box: Box = Field(description="Where it is in the image.")
    source: RegionSource = Field(description="What proposed the region.")
    label: str | None = Field(description="The detector's word for it, if it is a detection.")
    confidence: float | None = Field(description="The detector's confidence, 0..1.")


class Region(FoundRegion):
    """An indexed box of an image."""

    urls: CropUrls = Field(description="Where its pixels are.")


class ImageWithRegions(IndexedImage):
    """An image with its regions."""

    regions: list[Region] = Field(description="The regions that are indexed.")


class Images(Answer):
    """A page of the images, newest first."""

    images: list[Image] = Field(description="The images of this page.")
    total: int | None = Field(
        description="How many images there are; null where a name or a filter is asked for."
    )
    next: str | None = Field(description="The path of the next page; null on the last one.")


class Collection(Answer):
    """A collection and the encoder that it is bound to."""

    name: str = Field(description="The name of the collection.")
    encoder: str = Field(description="The encoder that made its embeddings.")
    dim: int = Field(description="How many numbers an embedding has.")
    images: int = Field(description="How many images are indexed.")


class CollectionWithRegions(Collection):
    """A collection with all that is known of it."""

    regions: int = Field(description="How many regions its images have.")
    deleting: str | None = Field(
        description="The id of the job that deletes it; null where none does."
    )


class Collections(Answer):
    """Every collection, by name."""

    collections: list[Collection] = Field(description="The collections.")


class Alive(Answer):
    """The process answers."""

    status: Literal["alive"] = Field(description="Always `alive`.")


class Models(Answer):
    """The models in use."""

    model_config = ConfigDict(extra="allow")

    name: str = Field("", description="The name of the model pack.")
    detector: str | None = Field(None, description="The detector; null where there is none.")
    encoder: str = Field("", description="The encoder.")
    dim: int = Field(0, description="How many numbers an embedding has.")
    has_text: bool = Field(False, description="Whether a text can be searched for.")
    has_kinds: bool = Field(False, description="Whether the pack tells kinds from things.")
    device: str = Field("", description="What the models compute on.")
    precision: str = Field("", description="What the networks compute in.")


class Readiness(Answer):
    """Whether everything is there. The status is 503 until it is."""

    status: Literal["ready", "starting", "unavailable"] = Field(
        description="`ready`, `starting` until both kinds of worker are there, or `unavailable`."
    )
    redis: bool = Field(description="Whether Redis answers.")
    workers: dict[str, int] = Field(
        default_factory=dict, description="How many workers of each role are there."
    )
    queues: dict[str, int] = Field(
        default_factory=dict, description="How many tasks wait on each queue."
    )
    models: Models | None = Field(
        default=None, description="The models in use; null until a worker has said which."
    )
    error: Problem | None = Field(default=None, description="What is not there.")
