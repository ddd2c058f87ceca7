"""Verification: images that show a query at a place, by keypoints that agree on one transform.

The keypoints were stored at ingest, so no image is decoded for it. Bounded by a number of images,
and by a deadline as a last resort. Where they are far away, several are read at a time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

from common.cores import cores
from common.errors import NeedleError, Transient
from common.images import ImageStore, ReadAhead, local_key
from worker.boxes import apart, corners
from worker.local.match import Matcher, Query
from worker.local.placement import FOUND, SAME_PLACE_IOU, Placement, placements
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Vocabulary
from worker.looking_ahead import in_order
from worker.searching.candidates import Candidate
from worker.searching.surest import MOST_THREADS, Surest

log = logging.getLogger(__name__)

Places = tuple[Placement, ...]

DOUBTFUL = 1.5
"""Evidence from which a place is worth comparing in detail where there is no better one."""
FEW, FAINT = 600, 1.0
"""Once the thing was found beyond doubt, and for a query the other way round, images are first
asked for its strongest keypoints alone: one that has no place of so much evidence by these is left
at that. Of 132 images that showed a part of a large query, 2 were lost so, with the least evidence
of all; the others took a third of the time. Few photos show a thing mirrored, and those that do
show all of it as a rule."""
LOST_INTEREST = 12
"""Images in a row without a place, after which no more are looked at."""
MOST_HELD = 1_000_000
"""Keypoints that a search holds in memory at a time: 50 MB."""


THREADS = min(MOST_THREADS, cores())
"""Images of one search that are looked at together."""
MANY = 400
"""Keypoints of a query from which on threads help. With fewer they wait for the interpreter's lock
most of the time, and 180 images take twice as long."""


@dataclass(frozen=True)
class Proof:
    """What verifying found: `places` of each image, surest first, and the images looked at.

    An image without places is not in `places`. `doubtful` are places that chance may well have
    given, of images without a better one: pixels can tell. `missed` are the images that there was
    no time to look at. `complete` is false where there are any, or where the time was up before the
    end of the closer look.
    """

    places: Mapping[str, Places] = field(default_factory=dict)
    doubtful: Mapping[str, Places] = field(default_factory=dict)
    checked: frozenset[str] = frozenset()
    complete: bool = True
    missed: frozenset[str] = frozenset()

    @classmethod
    def summed(cls, proofs: Sequence[Proof]) -> Proof:
        """Return several things' proof together."""
        return cls(
            {name: places for proof in proofs for name, places in proof.places.items()},
            {},
            frozenset().union(*(proof.checked for proof in proofs)),
            all(proof.complete for proof in proofs),
            frozenset().union(*(proof.missed - proof.checked for proof in proofs)),
        )

    def without(self, other: Proof) -> Proof:
        """Return the proof without the places that `other` is surer of: they show its query.

        Where `other` did not get to its end, neither did this: a place may yet have to go.
        """
        places = {}
        for name, own in self.places.items():
            stronger = other.places.get(name, ())
            kept = tuple(place for place in own if not any(_outdoes(o, place) for o in stronger))
            if kept:
                places[name] = kept
        complete = self.complete and other.complete
        return replace(self, places=places, doubtful={}, complete=complete)


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
class _Seen:
    """What one image shows of a query: its places, and whether it has keypoints at all."""

    has_keypoints: bool
    places: Places


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
        chosen = dict.fromkeys(islice(names, limits.images))
        wanted = [candidate for candidate in candidates if candidate.image_id in chosen]
        keys = [local_key(collection, name) for name in chosen]
        with ReadAhead(self.images, keys) as reads:
            return self._verified(_Drawer(self, collection, reads), queries, wanted, limits)

    def _verified(
        self,
        drawer: _Drawer,
        queries: Sequence[Query],
        candidates: Sequence[Candidate],
        limits: Limits,
    ) -> Proof:
        deadline = time.monotonic() + limits.budget_s
        places: dict[str, Places] = {}
        doubtful: dict[str, Places] = {}
        checked: set[str] = set()
        missed: set[str] = set()
        without: set[str] = set()
        surest = Surest()
        looks = self._looked(drawer, queries, candidates, limits, deadline, surest)
        with closing(looks) as looked:
            for name, seen in looked:
                surest.note(seen.places if seen else ())
                if seen is None:
                    missed.add(name)
                    continue
                checked |= {name} if seen.has_keypoints else set()
                more = [place for place in seen.places if place.evidence >= FOUND]
                if more:
                    without.clear()
                    places[name] = merged(places.get(name, ()), more)[: limits.places]
                elif seen.has_keypoints:
                    without.add(name)
                    if seen.places:
                        doubtful[name] = merged(doubtful.get(name, ()), seen.places)[:1]
                if not limits.every and surest.beyond_doubt() and len(without) >= LOST_INTEREST:
                    break
        left = {name: own for name, own in doubtful.items() if name not in places}
        return Proof(places, left, frozenset(checked), not missed, frozenset(missed))

    def _looked(
        self,
        drawer: _Drawer,
        queries: Sequence[Query],
        candidates: Sequence[Candidate],
        limits: Limits,
        deadline: float,
        surest: Surest,
    ) -> Generator[tuple[str, _Seen | None]]:
        """Yield the images' names with what was seen, in the candidates' order.

        None where there was no time, or the store did not answer. Some are looked at ahead, in
        threads: what is found must not depend on which of them ends first.
        """
        few = [query.first(FEW) if len(query.keypoints) > 2 * FEW else None for query in queries]

        def look(task: tuple[Candidate, bool]) -> _Seen | None:
            candidate, quick = task
            if time.monotonic() > deadline:
                return None
            try:
                keypoints = drawer.keypoints(candidate.image_id)
            except Transient as error:
                log.warning("%s is not verified: %s", candidate.image_id, error.message)
                return None
            if keypoints is None:
                return _Seen(False, ())
            query, glance = queries[candidate.query], few[candidate.query]
            if quick and glance and not placements(self.matcher, glance, keypoints, 1, FAINT):
                return _Seen(True, ())
            found = placements(self.matcher, query, keypoints, limits.places, DOUBTFUL)
            return _Seen(True, tuple(found))

        fullest = max((len(query.keypoints) for query in queries), default=0)
        threads = THREADS if fullest >= MANY else 1
        tasks = (
            (
                candidate,
                not limits.every
                and (queries[candidate.query].mirrored or surest.beyond_doubt(number)),
            )
            for number, candidate in enumerate(candidates)
        )
        for (candidate, _), seen in in_order(look, tasks, threads=threads, ahead=threads):
            yield candidate.image_id, seen

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


Kept = Future[StoredKeypoints | None]
"""An image's keypoints, which a thread may still be reading."""


class _Drawer:
    """Keypoints of the images that were opened last: most are asked for twice, for either query.

    Of threads that ask for one image at the same time, one reads it.
    """

    def __init__(self, verifier: Verifier, collection: str, reads: ReadAhead) -> None:
        self._verifier, self._collection, self._reads = verifier, collection, reads
        self._kept: dict[str, Kept] = {}
        self._held = 0
        self._lock = threading.Lock()

    def keypoints(self, image_id: str) -> StoredKeypoints | None:
        """Return an image's keypoints, as the verifier does."""
        with self._lock:
            known = self._kept.get(image_id)
            reading: Kept = Future() if known is None else known
            self._kept[image_id] = reading
        if known is None:
            self._read(image_id, reading)
        return reading.result()

    def _read(self, image_id: str, reading: Kept) -> None:
        try:
            keypoints = self._verifier.keypoints(self._collection, image_id, self._reads)
        except BaseException as error:
            with self._lock:
                self._kept.pop(image_id, None)  # the next may have more luck
            reading.set_exception(error)
            return
        with self._lock:
            reading.set_result(keypoints)
            if self._kept.get(image_id) is reading:
                self._held += _count(reading)
            while self._held > MOST_HELD and len(self._kept) > 1:
                self._held -= _count(self._kept.pop(next(iter(self._kept))))


def _count(kept: Kept) -> int:
    """Return how many keypoints were read; 0 while they are being read."""
    return len(kept.result() or ()) if kept.done() else 0


def merged(known: Sequence[Placement], more: Sequence[Placement]) -> Places:
    """Return an image's places, surest first; of two in one spot the surer stays."""
    every = sorted([*known, *more], key=lambda place: -place.evidence)
    boxes = corners(place.box for place in every)
    return tuple(every[row] for row in apart(boxes, SAME_PLACE_IOU, equal_is_same=True))


def _outdoes(other: Placement, place: Placement) -> bool:
    return other.evidence >= place.evidence and other.box.iou(place.box) >= SAME_PLACE_IOU
