"""What a search found.

It exists twice: as the worker leaves it in the job (`FoundHit`, `FoundMatch`, `Findings`), and as
clients see it, with the query and the URLs that web adds.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from common.contract.answers.base import Answer
from common.contract.answers.images import CropUrls, ImageUrls
from common.contract.fields import Box, HitSource, Likeness, Said
from common.contract.requests import QueryFields


class MatchUrls(ImageUrls):
    """Where a match's image is, as paths on this service."""

    crop: str = Field(description="The pixels of the best hit (JPEG).")


class FoundHit(Answer):
    """A place in an image, without URLs."""

    box: Box = Field(description="Where it is in the image.")
    score: float = Field(description="Cosine similarity to the query, -1..1.")
    source: HitSource = Field(description="What proposed the place.")
    label: str | None = Field(
        default=None, description="The detector's word for it, if it is a detection."
    )
    confidence: float | None = Field(default=None, description="The detector's confidence, 0..1.")
    verified: bool = Field(
        default=False, description="Whether local features found the query here again."
    )
    quad: list[list[float]] | None = Field(
        default=None,
        description=(
            "The query's corners `[x, y]` in the image, from its top left, clockwise. This field "
            "and those of the proof below are there where the hit is verified."
        ),
    )
    rotation: float | None = Field(
        default=None, description="How far it is turned, degrees clockwise."
    )
    mirrored: bool | None = Field(default=None, description="Whether the image shows it mirrored.")
    inliers: int | None = Field(
        default=None, description="How many features agree on one transform."
    )
    evidence: float | None = Field(
        default=None, description="Chance would find so many inliers once in 10^evidence images."
    )
    coverage: float | None = Field(
        default=None, description="The share of the query that the inliers lie around, 0..1."
    )
    agreement: float | None = Field(
        default=None,
        description=(
            "How much of the query's detail the image shows here, 0..1: of the best places alone."
        ),
    )
    part: float | None = Field(
        default=None,
        description="The share of the query's detail that lies between what agrees, 0..1.",
    )
    part_agreement: float | None = Field(
        default=None, description="How much of that part the image shows here, 0..1."
    )
    object: int | None = Field(
        default=None,
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
    path: Said | None = Field(
        default=None,
        description="The path that it was posted under first; null in old results.",
    )
    paths: tuple[Said, ...] = Field(default=(), description="Every path that it was posted under.")
    width: int = Field(description="The width of the upright image (pixels).")
    height: int = Field(description="The height of the upright image (pixels).")
    metadata: dict[str, Any] = Field(description="What was noted of the image.")
    hits: tuple[FoundHit, ...] = Field(
        description="The places in the image, the best first, at most `hits_per_image`."
    )
    count: int | None = Field(
        default=None,
        description="How many places of the image are verified to show the query, in `hits` or "
        "beyond; null in old results.",
    )
    verified: bool = Field(
        default=False, description="Whether local features found the query in the image again."
    )
    probability: float | None = Field(
        default=None,
        description=(
            "How probable it is that the image shows the query, 0..1. Where each of several things "
            "was searched for (`detect`), the share of them that it is expected to show. Null in "
            "old results."
        ),
    )
    rise: float | None = Field(
        default=None,
        description=(
            "The score on the search's own scale: 0 like images that do not show the query, 1 for "
            "an equal image."
        ),
    )
    likeness: Likeness = Field(
        default=Likeness.THING,
        description="Whether the score is of the thing itself or of its kind.",
    )
    shows: tuple[int, ...] | None = Field(
        default=None,
        description="Which of the result's `objects` the image probably shows, the surest first, "
        "where each was searched for. `probability` is then a share, no probability.",
    )

    @property
    def places(self) -> tuple[FoundHit, ...]:
        """The hits that show the query: the verified ones, or the best alone where none is.

        Of the others nobody has said how sure they are.
        """
        return tuple(hit for hit in self.hits if hit.verified) or self.hits[:1]


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

    images: int = Field(default=0, description="The images in the collection.")
    regions: int = Field(default=0, description="The regions of these images.")


class Verification(Answer):
    """How many images local features were compared with, and what came of it."""

    checked: int = Field(
        default=0, description="How many images were compared by their local features."
    )
    verified: int = Field(default=0, description="How many of these show the query.")
    unchecked: int = Field(
        default=0, description="How many more would have been compared, had there been time."
    )
    complete: bool = Field(
        default=True,
        description="Whether the time sufficed for all of them, for counting the places of each, "
        "and for the closer look at the best. Where it did not, `POST /jobs/{id}/continue` goes "
        "on.",
    )


class Findings(Answer):
    """What a search found and what it took, without the query and without URLs."""

    found: bool | None = Field(
        default=None, description="Whether an image probably shows the query; null in old results."
    )
    probability: float | None = Field(
        default=None,
        description="The greatest `probability` of a match, 0..1; null in old results.",
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
        default=None, description="The name of the file that was posted as the query."
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
