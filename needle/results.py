"""What the service answers, as frozen values. Fields that a newer service adds are ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from needle import frames
from needle.indexed import paths
from needle.jobs import Job
from needle.wording import sure

if TYPE_CHECKING:
    import pandas  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from PIL.Image import Image as Drawing

Box = tuple[int, int, int, int]
"""(x1, y1, x2, y2) in pixels of the upright image, half open."""

Quad = tuple[tuple[float, float], ...]
"""Four corners (x, y) in pixels of the upright image."""

_PROOF = (
    "rotation", "mirrored", "inliers", "evidence", "coverage",
    "agreement", "part", "part_agreement", "object",
)  # fmt: skip
FetchImage = Callable[[str, str | None], bytes]


class Origin:
    """Where a match's image can be had: its collection, and the client that found it.

    Copies and pickles of a result keep the collection and leave the connection behind.
    """

    def __init__(self, collection: str | None = None, fetch: FetchImage | None = None) -> None:
        """`fetch` returns an image's bytes by its image id and its collection."""
        self.collection = collection
        self.fetch = fetch

    def __reduce__(self) -> tuple[type[Origin], tuple[str | None]]:
        """Leave the connection behind."""
        return Origin, (self.collection,)


@dataclass(frozen=True)
class Hit:
    """A place in an image. `score` is the cosine similarity, -1..1; `confidence` the detector's.

    A `verified` hit was found again by local features: `quad` are the query's corners in the
    image, from its top left, clockwise; `rotation` is in degrees clockwise; chance would find so
    many `inliers` once in 10^`evidence` images; they lie around `coverage` (0..1) of the query;
    `agreement` (0..1) of its detail is there, which is known of the best places alone;
    `part_agreement` of the `part` (0..1) of it that lies between what agrees.
    """

    box: Box
    score: float
    source: str = ""
    label: str | None = None
    confidence: float | None = None
    urls: Mapping[str, str] = field(default_factory=dict)
    verified: bool = False
    quad: Quad | None = None
    rotation: float | None = None
    mirrored: bool | None = None
    inliers: int | None = None
    evidence: float | None = None
    coverage: float | None = None
    agreement: float | None = None
    part: float | None = None
    part_agreement: float | None = None
    object: int | None = None
    """With `detect`: the number of the thing in `SearchResult.objects` that was found here."""

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Hit:
        """Read the JSON form."""
        x1, y1, x2, y2 = (int(value) for value in raw["box"])
        return cls(
            box=(x1, y1, x2, y2),
            score=float(raw["score"]),
            source=str(raw.get("source", "")),
            label=raw.get("label"),
            confidence=raw.get("confidence"),
            urls=raw.get("urls") or {},
            verified=bool(raw.get("verified")),
            quad=tuple((x, y) for x, y in raw["quad"]) if raw.get("quad") else None,
            **{name: raw.get(name) for name in _PROOF},
        )


@dataclass(frozen=True)
class Match:
    """An image that contains what was searched for, with its hits, best first.

    `probability`, 0..1, is how sure that is (None from a service that does not say): scores of
    different searches cannot be compared, these can. `rise` is the score on the search's own scale:
    0 like images that do not show it, 1 for an equal image. `verified` tells whether local
    features found it again; the opposite is no disproof. `count` is at how many places, of which
    `hits` has the best (None from a service that does not count). `likeness` is "thing", or "kind"
    where the score is that of showing the same kind of thing. `path` is the one that the image was
    posted under first, `paths` are all of them. `shows`, with `detect`: the numbers of the
    things in `SearchResult.objects` that the image probably shows, the surest first. Of several
    things `probability` is the share that the image is expected to show.
    """

    image_id: str
    score: float
    distance: float
    filename: str
    width: int
    height: int
    hits: tuple[Hit, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    verified: bool = False
    count: int | None = None
    probability: float | None = None
    rise: float | None = None
    likeness: str = "thing"
    origin: Origin = field(default_factory=Origin, repr=False, compare=False)
    path: str = ""
    paths: tuple[str, ...] = ()
    shows: tuple[int, ...] = ()

    def draw(self, photo: bytes | None = None, *, hits: int | None = None) -> Drawing:
        """Return the image with its hits drawn: the best one bright, its surroundings darkened.

        It is labelled with the probability (`99 %`), else with the score.

        `photo` is its file's bytes; without them they are fetched. `hits` draws only the best so
        many. Raises ValueError where it cannot be fetched from here (a result of AsyncNeedle: use
        `await needle.draw(match)`; a copy that has lost its connection), and what `Needle.file`
        raises.
        """
        from needle.draw import draw_match

        if photo is None:
            if self.origin.fetch is None:
                raise ValueError("this match has no connection: use needle.draw(match)")
            photo = self.origin.fetch(self.image_id, self.origin.collection)
        return draw_match(photo, self.hits[:hits], self.sureness)

    @property
    def sureness(self) -> str:
        """How sure it is, in words: how probable (`99 %`), else its score."""
        return sure(self.probability) or f"{self.score:.2f}"

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Match:
        """Read the JSON form."""
        return cls(
            image_id=str(raw["image_id"]),
            score=float(raw["score"]),
            distance=float(raw.get("distance", 1 - raw["score"])),
            filename=str(raw.get("filename") or ""),
            width=int(raw.get("width") or 0),
            height=int(raw.get("height") or 0),
            hits=tuple(Hit.from_json(hit) for hit in raw.get("hits") or ()),
            **paths(raw),
            metadata=raw.get("metadata") or {},
            urls=raw.get("urls") or {},
            verified=bool(raw.get("verified")),
            count=raw.get("count"),
            probability=raw.get("probability"),
            rise=raw.get("rise"),
            likeness=str(raw.get("likeness") or "thing"),
            shows=tuple(raw.get("shows") or ()),
        )


@dataclass(frozen=True)
class Thing:
    """A thing that was detected in the query: its `box` there, None for all of it.

    `found` tells whether it is probably in an image; `confidence` is the detector's.
    """

    box: Box | None
    label: str | None
    confidence: float | None
    found: bool
    probability: float

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Thing:
        """Read the JSON form."""
        corners = raw.get("box")
        return cls(
            box=(corners[0], corners[1], corners[2], corners[3]) if corners else None,
            label=raw.get("label"),
            confidence=raw.get("confidence"),
            found=bool(raw.get("found")),
            probability=float(raw.get("probability") or 0),
        )


@dataclass(frozen=True)
class SearchResult:
    """The images found, best first. `index` says how many images and regions were searched.

    `found` tells whether any of them probably shows what was searched for, `probability` how sure
    that is of the first: a search returns the nearest there is, however far. `objects` are the
    things of the query where they were to be detected.

    `verification` tells how many images were `checked` by local features, how many more would have
    been (`unchecked`), and whether the time sufficed for all (`complete`): where it did not,
    `Needle.continue_search` goes on. `query` is what was searched for, `urls` where its images are.
    `raw` is the result as the service gave it, with all that a newer one adds.
    """

    job_id: str
    matches: tuple[Match, ...]
    found: bool = True
    probability: float | None = None
    objects: tuple[Thing, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    index: Mapping[str, int] = field(default_factory=dict)
    verification: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    urls: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def best(self) -> Match | None:
        """The first match, None when nothing was found."""
        return self.matches[0] if self.matches else None

    @property
    def of_words(self) -> bool:
        """Whether words alone were searched for: images then have an order, and are not judged."""
        return bool(self.query.get("text")) and not any(
            self.query.get(name) for name in ("image_id", "filename", "url")
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row for each hit: see `frames.match_rows` for its columns."""
        return frames.match_rows(self.matches)

    def to_pandas(self) -> pandas.DataFrame:
        """Return `rows` as a DataFrame. Raises ImportError where pandas is not installed."""
        return frames.to_pandas(self.rows(), frames.MATCH_COLUMNS)

    @classmethod
    def from_job(cls, job: Job, origin: Origin | None = None) -> SearchResult:
        """Read a finished search job; its images are at `origin`."""
        raw = job.result or {}
        found = (Match.from_json(match) for match in raw.get("matches") or ())
        return cls(
            job_id=job.job_id,
            matches=tuple(replace(match, origin=origin or Origin()) for match in found),
            found=bool(raw.get("found", raw.get("matches"))),
            probability=raw.get("probability"),
            objects=tuple(Thing.from_json(thing) for thing in raw.get("objects") or ()),
            timings_ms=raw.get("timings_ms") or {},
            index=raw.get("index") or {},
            verification=raw.get("verification") or {},
            query=raw.get("query") or {},
            urls=raw.get("urls") or {},
            raw=raw,
        )
