"""The second channel of a search: photos by their visual words, and proof by local features.

What the embedding never had the idea of can still be found: photos that share rare details with
the query are candidates of their own. Candidates of both channels are then verified: keypoints
are matched and must agree on one transform. Bounded by a deadline.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from common.errors import NeedleError
from common.images import ImageStore, local_key
from common.vectors.filters import Condition
from worker.boxes import apart, corners
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.match import Matcher, Query
from worker.local.placement import SAME_PLACE_IOU, Placement, placements
from worker.local.vocabulary import Vocabulary
from worker.local.words import query_words
from worker.vectors.words import WordStore

log = logging.getLogger(__name__)

QUERY_FEATURES = 600
"""Keypoints of a query: matching costs time in proportion."""
QUERY_PIXELS = 400_000
"""A small picture has so many at most: more only cost time."""
LEAST_FEATURES = 4
"""Fewer keypoints prove nothing."""
SURE = 12.0
"""Evidence that outweighs any difference of scores."""
RANK_OFFSET = 10
"""Reciprocal rank fusion (Cormack et al., 2009): how slowly a channel's later ranks lose weight."""


@dataclass(frozen=True)
class Candidate:
    """A photo to be verified against the query with that number, as it is or mirrored."""

    image_id: str
    query: int


@dataclass
class Verification:
    """What verifying found: `places` of each photo, surest first, and the photos looked at.

    `complete` is false when the time was up before the last candidate.
    """

    places: dict[str, list[Placement]] = field(default_factory=dict)
    checked: set[str] = field(default_factory=set)
    complete: bool = True

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form that clients see."""
        return {
            "checked": len(self.checked),
            "verified": len(self.places),
            "complete": self.complete,
        }

    @staticmethod
    def summed(proofs: Sequence[Verification]) -> dict[str, object]:
        """Return the JSON form of several things' together."""
        checked = set().union(*(proof.checked for proof in proofs))
        places = {name: found for proof in proofs for name, found in proof.places.items()}
        complete = all(proof.complete for proof in proofs)
        return Verification(places, checked, complete).as_dict()

    def without(self, other: Verification) -> None:
        """Take away the places that `other` is surer of: they show what it looked for."""
        for name, places in list(self.places.items()):
            stronger = other.places.get(name, ())
            kept = [place for place in places if not any(_outdoes(o, place) for o in stronger)]
            if kept:
                self.places[name] = kept
            else:
                del self.places[name]


@dataclass(frozen=True)
class Verifier:
    """Finds and verifies photos by local features."""

    vocabulary: Vocabulary
    matcher: Matcher
    images: ImageStore
    words: WordStore
    most_images: int
    budget_s: float

    def describe(self, image: Image.Image) -> tuple[Query, ...]:
        """Return the query's features as it is and mirrored; nothing when there are too few."""
        features = extract(image, QUERY_FEATURES, QUERY_PIXELS)
        return Query.both(features, self.vocabulary) if len(features) >= LEAST_FEATURES else ()

    def candidates(
        self, collection: str, queries: Sequence[Query], where: Sequence[Condition]
    ) -> list[Candidate]:
        """Return the photos that share the most words, best first; a photo may come many ways."""
        scored = [
            (hit.score, Candidate(hit.image_id, number))
            for number, query in enumerate(queries)
            for hit in self.words.search(
                collection,
                query_words(query.keypoints, self.vocabulary),
                vocabulary=self.vocabulary.id,
                limit=self.most_images,
                where=where,
            )
        ]
        scored.sort(key=lambda pair: (-pair[0], pair[1].image_id, pair[1].query))
        return [candidate for _, candidate in scored]

    def verify(
        self,
        collection: str,
        queries: Sequence[Query],
        candidates: Sequence[Candidate],
        *,
        places: int,
        budget_s: float,
    ) -> Verification:
        """Look for at most `places` places of a query in each candidate, in their order."""
        deadline = time.monotonic() + budget_s
        found = Verification()
        opened: dict[str, Keypoints | None] = {}
        for candidate in candidates:
            if candidate.image_id not in opened and len(opened) >= self.most_images:
                continue
            if time.monotonic() > deadline:
                found.complete = False
                break
            name = candidate.image_id
            if name not in opened:
                opened[name] = self._keypoints(collection, name)
            photo = opened[name]
            if photo is not None:
                found.checked.add(name)
                query = queries[candidate.query]
                _add(found.places, name, placements(self.matcher, query, photo, places), places)
        return found

    def _keypoints(self, collection: str, image_id: str) -> Keypoints | None:
        """Return a photo's keypoints; None for one indexed without, or by another vocabulary."""
        try:
            content = self.images.open(local_key(collection, image_id))
            return Keypoints.from_bytes(content, self.vocabulary)
        except NeedleError as error:
            log.debug("%s is not verified: %s", image_id, error.message)
            return None


def _add(
    found: dict[str, list[Placement]], name: str, places: Sequence[Placement], most: int
) -> None:
    """Add a photo's places to those known; of two in one spot the surer stays."""
    every = sorted([*found.get(name, []), *places], key=lambda place: -place.evidence)
    boxes = corners(place.box for place in every)
    kept = [every[row] for row in apart(boxes, SAME_PLACE_IOU, equal_is_same=True)]
    if kept:
        found[name] = kept[:most]


def _outdoes(other: Placement, place: Placement) -> bool:
    return other.evidence >= place.evidence and other.box.iou(place.box) >= SAME_PLACE_IOU


def fused(
    by_embedding: Sequence[str], by_words: Sequence[Candidate], queries: Sequence[Query]
) -> list[Candidate]:
    """Return the candidates of both channels, best first, by reciprocal rank fusion.

    The embedding does not know which way round the query is: its photos are tried as it is first,
    and mirrored after.
    """
    weights: dict[Candidate, float] = {}
    for rank, name in enumerate(by_embedding):
        for number, query in enumerate(queries):
            weight = 0.5 if query.mirrored else 1.0
            weights[Candidate(name, number)] = weight / (RANK_OFFSET + rank)
    for rank, candidate in enumerate(by_words):
        weights[candidate] = weights.get(candidate, 0.0) + 1.0 / (RANK_OFFSET + rank)
    return sorted(weights, key=lambda c: (-weights[c], c.image_id, c.query))


def standing(score: float, places: Mapping[str, Sequence[Placement]], name: str) -> float:
    """Return what a match is ordered by: its score, raised by its proof.

    Proof far beyond chance outweighs any score; a proof that chance might give now and then only
    helps a photo that the embedding likes too.
    """
    found = places.get(name)
    return score + (min(found[0].evidence, SURE) / SURE if found else 0.0)
