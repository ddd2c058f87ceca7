"""Verification: images that show a query at a place, by keypoints that agree on one transform.

The keypoints were stored at ingest, so no image is decoded for it. Bounded by a number of images,
and by a deadline as a last resort. Where they are far away, several are read at a time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from common.errors import NeedleError, Transient
from common.images import ImageStore, ReadAhead, local_key
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
LOST_INTEREST = 12
"""Images in a row without a place, after which no more are looked at."""
MOST_HELD = 1_000_000
"""Keypoints that a search holds in memory at a time: 50 MB."""


@dataclass(frozen=True)
class Proof:
    """What verifying found: `places` of each image, surest first, and the images looked at.

    An image without places is not in `places`. `doubtful` are places that chance may well have
    given, of images without a better one: pixels can tell. `complete` is false when the time was up
    before the last candidate, or before the end of the closer look.
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
    image after `budget_s` seconds. `every` candidate is looked at, or none any more once the thing
    was found beyond doubt and then many images in a row did not show it.
    """

    images: int
    places: int
    budget_s: float
    every: bool = False


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

        An image that the store does not answer for is left out, as one that there was no time for.
        """
        names = dict.fromkeys(candidate.image_id for candidate in candidates)
        expected = [local_key(collection, name) for name in islice(names, limits.images)]
        with ReadAhead(self.images, expected) as reads:
            drawer = _Drawer(self, collection, reads)
            return self._verified(drawer, queries, candidates, limits)

    def _verified(
        self,
        drawer: _Drawer,
        queries: Sequence[Query],
        candidates: Sequence[Candidate],
        limits: Limits,
    ) -> Proof:
        deadline = time.monotonic() + limits.budget_s
        surest, complete = 0.0, True
        places: dict[str, Places] = {}
        doubtful: dict[str, Places] = {}
        opened: dict[str, bool] = {}
        without: set[str] = set()
        for candidate in candidates:
            name = candidate.image_id
            if name not in opened and len(opened) >= limits.images:
                continue
            if not limits.every and surest >= BEYOND_DOUBT and len(without) >= LOST_INTEREST:
                break
            if time.monotonic() > deadline:
                complete = False
                break
            try:
                keypoints = drawer.keypoints(name)
            except Transient as error:
                log.warning("%s is not verified: %s", name, error.message)
                complete = False
                continue
            opened[name] = keypoints is not None
            if keypoints is None:
                continue
            query = queries[candidate.query]
            seen = placements(self.matcher, query, keypoints, limits.places, DOUBTFUL)
            more = [place for place in seen if place.evidence >= FOUND]
            if more:
                without.clear()
                surest = max(surest, more[0].evidence)
                places[name] = merged(places.get(name, ()), more)[: limits.places]
                continue
            without.add(name)
            if seen:
                doubtful[name] = merged(doubtful.get(name, ()), seen)[:1]
        left = {name: own for name, own in doubtful.items() if name not in places}
        checked = frozenset(name for name, has_keypoints in opened.items() if has_keypoints)
        return Proof(places, left, checked, complete)

    def keypoints(
        self, collection: str, image_id: str, reads: ReadAhead | None = None
    ) -> StoredKeypoints | None:
        """Return an image's keypoints; None for one indexed without, or by another vocabulary.

        `reads` may have their bytes already. Raises transient errors.
        """
        try:
            content = (reads or self.images).open(local_key(collection, image_id))
            return StoredKeypoints.from_bytes(content, self.vocabulary)
        except Transient:
            raise
        except NeedleError as error:
            log.debug("%s is not verified: %s", image_id, error.message)
            return None


class _Drawer:
    """Keypoints of the images that were opened last: most are asked for twice, for either query."""

    def __init__(self, verifier: Verifier, collection: str, reads: ReadAhead) -> None:
        self._verifier, self._collection, self._reads = verifier, collection, reads
        self._kept: dict[str, StoredKeypoints | None] = {}

    def keypoints(self, image_id: str) -> StoredKeypoints | None:
        """Return an image's keypoints, as the verifier does."""
        if image_id not in self._kept:
            self._kept[image_id] = self._verifier.keypoints(self._collection, image_id, self._reads)
            while sum(map(_count, self._kept.values())) > MOST_HELD and len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
        return self._kept[image_id]


def _count(keypoints: StoredKeypoints | None) -> int:
    return 0 if keypoints is None else len(keypoints)


def merged(known: Sequence[Placement], more: Sequence[Placement]) -> Places:
    """Return an image's places, surest first; of two in one spot the surer stays."""
    every = sorted([*known, *more], key=lambda place: -place.evidence)
    boxes = corners(place.box for place in every)
    return tuple(every[row] for row in apart(boxes, SAME_PLACE_IOU, equal_is_same=True))


def _outdoes(other: Placement, place: Placement) -> bool:
    return other.evidence >= place.evidence and other.box.iou(place.box) >= SAME_PLACE_IOU
