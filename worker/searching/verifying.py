"""Verification: images that show a query at a place, by keypoints that agree on one transform.

The keypoints were stored at ingest, so no image is decoded. Bounded by a deadline.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from common.errors import NeedleError
from common.images import ImageStore, local_key
from worker.boxes import apart, corners
from worker.local.match import Matcher, Query
from worker.local.placement import FOUND, SAME_PLACE_IOU, Placement, placements
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Vocabulary
from worker.searching.candidates import Candidate

log = logging.getLogger(__name__)

Places = tuple[Placement, ...]

BEYOND_DOUBT = 40.0
"""Evidence of the thing itself: photos of look-alikes seldom come to that."""
DOUBTFUL = 1.5
"""Evidence from which a place is worth comparing in detail where there is no better one."""
LOST_INTEREST = 24
"""Candidates in a row without a place, after which no more are looked at."""


@dataclass(frozen=True)
class Proof:
    """What verifying found: `places` of each image, surest first, and the images looked at.

    An image without places is not in `places`. `doubtful` are places that chance may well have
    given, of images without a better one: pixels can tell. `complete` is false when the time was up
    before the last candidate.
    """

    places: Mapping[str, Places] = field(default_factory=dict)
    doubtful: Mapping[str, Places] = field(default_factory=dict)
    checked: frozenset[str] = frozenset()
    complete: bool = True

    @classmethod
    def summed(cls, proofs: Sequence[Proof]) -> Proof:
        """Return several things' proof together."""
        return cls(
            {name: places for proof in proofs for name, places in proof.places.items()},
            {},
            frozenset().union(*(proof.checked for proof in proofs)),
            all(proof.complete for proof in proofs),
        )

    def without(self, other: Proof) -> Proof:
        """Return the proof without the places that `other` is surer of: they show its query."""
        places = {}
        for name, own in self.places.items():
            stronger = other.places.get(name, ())
            kept = tuple(place for place in own if not any(_outdoes(o, place) for o in stronger))
            if kept:
                places[name] = kept
        return Proof(places, {}, self.checked, self.complete)


@dataclass(frozen=True)
class Limits:
    """What verifying may cost.

    It opens at most so many `images`, keeps at most so many `places` of each, and begins with no
    image after `budget_s` seconds.
    """

    images: int
    places: int
    budget_s: float


@dataclass(frozen=True)
class Verifier:
    """Verifies images by the local features that are kept of them."""

    vocabulary: Vocabulary
    matcher: Matcher
    images: ImageStore

    def verify(
        self,
        collection: str,
        queries: Sequence[Query],
        candidates: Sequence[Candidate],
        limits: Limits,
    ) -> Proof:
        """Look for places of a query in each candidate, in their order. Raises nothing.

        The thing is found beyond doubt and then many candidates in a row do not show it: the rest,
        which are less likely still, are not looked at.
        """
        deadline = time.monotonic() + limits.budget_s
        surest, since = 0.0, 0
        places: dict[str, Places] = {}
        doubtful: dict[str, Places] = {}
        checked: set[str] = set()
        opened: dict[str, StoredKeypoints | None] = {}
        for candidate in candidates:
            name = candidate.image_id
            if name not in opened and len(opened) >= limits.images:
                continue
            if surest >= BEYOND_DOUBT and since >= LOST_INTEREST:
                break
            if time.monotonic() > deadline:
                return Proof(places, doubtful, frozenset(checked), complete=False)
            if name not in opened:
                opened[name] = self._keypoints(collection, name)
            keypoints = opened[name]
            if keypoints is not None:
                checked.add(name)
                query = queries[candidate.query]
                seen = placements(self.matcher, query, keypoints, limits.places, DOUBTFUL)
                more = [place for place in seen if place.evidence >= FOUND]
                since = 0 if more else since + 1
                if more:
                    surest = max(surest, more[0].evidence)
                    places[name] = _merged(places.get(name, ()), more)[: limits.places]
                elif seen:
                    doubtful[name] = _merged(doubtful.get(name, ()), seen)[:1]
        left = {name: own for name, own in doubtful.items() if name not in places}
        return Proof(places, left, frozenset(checked))

    def _keypoints(self, collection: str, image_id: str) -> StoredKeypoints | None:
        """Return an image's keypoints; None for one indexed without, or by another vocabulary."""
        try:
            content = self.images.open(local_key(collection, image_id))
            return StoredKeypoints.from_bytes(content, self.vocabulary)
        except NeedleError as error:
            log.debug("%s is not verified: %s", image_id, error.message)
            return None


def _merged(known: Sequence[Placement], more: Sequence[Placement]) -> Places:
    """Return an image's places, surest first; of two in one spot the surer stays."""
    every = sorted([*known, *more], key=lambda place: -place.evidence)
    boxes = corners(place.box for place in every)
    return tuple(every[row] for row in apart(boxes, SAME_PLACE_IOU, equal_is_same=True))


def _outdoes(other: Placement, place: Placement) -> bool:
    return other.evidence >= place.evidence and other.box.iou(place.box) >= SAME_PLACE_IOU
