"""All of them: every place of an image that shows the thing, where it shows it more than once.

Verifying asks whether an image shows the thing; two places are enough to tell that there may be
more. Here all are looked for, and each is compared in detail: the next package on the shelf may be
another flavour.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from worker.local.match import Query
from worker.local.placement import FOUND, SAME_PLACE_IOU, Placement
from worker.local.repeats import every_placement
from worker.searching.agreeing import CONFIRMED
from worker.searching.opening import Opener
from worker.searching.question import Thing
from worker.searching.verifying import DOUBTFUL, Places, Proof, Verifier, merged

MOST = 500
"""Places of an image at most."""
AS_GOOD = 0.8
"""A place shows the same if it agrees with the query by this share of what the best one does."""


@dataclass(frozen=True)
class Counter:
    """Finds the other places of images that have two."""

    verifier: Verifier
    opener: Opener

    def count(
        self, proof: Proof, names: Iterable[str], thing: Thing, collection: str, budget_s: float
    ) -> Proof:
        """Return the proof with every place of those named images, best first. Raises nothing.

        Begins with no image after `budget_s` seconds; `complete` is false then.
        """
        deadline = time.monotonic() + budget_s
        places, complete = dict(proof.places), proof.complete
        for name in names:
            if len(places[name]) < 2:
                continue
            if time.monotonic() > deadline:
                complete = False
                break
            places[name] = self._every(name, places[name], thing, collection)
        return replace(proof, places=places, complete=complete)

    def _every(self, name: str, known: Places, thing: Thing, collection: str) -> Places:
        keypoints = self.verifier.keypoints(collection, name)
        if keypoints is None:
            return known
        first = known[0]
        more = [
            place
            for query in _like(first, thing.queries or ())
            for place in every_placement(query, keypoints, MOST, DOUBTFUL)
        ]
        others = [p for p in merged((), more) if p.box.iou(first.box) < SAME_PLACE_IOU]
        return self._same(name, (first, *others), thing.pixels, collection)

    def _same(
        self, name: str, every: Places, queries: Sequence[Image.Image], collection: str
    ) -> Places:
        """Return the places that show what the first one shows, itself first."""
        opened = self.opener.open(collection, name, every)
        first, *others = opened.compared(queries) if opened and queries else every
        best = max((p.agreement for p in (first, *others) if p.agreement is not None), default=None)
        kept = [place for place in others if as_good(place, best)]
        kept.sort(key=lambda place: (-(place.agreement or 0), -place.evidence))
        return first, *kept


def _like(first: Placement, queries: Sequence[Query]) -> list[Query]:
    """Return the queries that are the same way round as the first place."""
    return [query for query in queries if query.mirrored == first.mirrored]


def as_good(place: Placement, best: float | None) -> bool:
    """Tell whether a place shows what another one does that agrees with the query so much."""
    if place.agreement is None or best is None:
        return place.evidence >= FOUND
    least = AS_GOOD * best
    return place.agreement >= (least if place.evidence >= FOUND else max(least, CONFIRMED))
