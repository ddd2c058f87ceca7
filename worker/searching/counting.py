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

from common.errors import Transient
from worker.local.placement import AGAIN, FOUND, SAME_PLACE_IOU, Placement
from worker.local.repeats import every_placement
from worker.searching.agreeing import PIXELS, as_good, best_first
from worker.searching.opening import Opener
from worker.searching.question import Thing
from worker.searching.standing import SURE
from worker.searching.verifying import DOUBTFUL, Places, Proof, Verifier, merged

MOST = 500
"""Places of an image at most."""


@dataclass(frozen=True)
class Counter:
    """Finds the other places of images that have two."""

    verifier: Verifier
    opener: Opener

    def count(
        self, proof: Proof, names: Iterable[str], thing: Thing, collection: str, deadline: float
    ) -> Proof:
        """Return the proof with every place of those named images, best first. Raises nothing.

        Begins with no image after the `deadline` on the monotonic clock: of those the surest place
        alone stands, since most second ones are no more than alike, and `complete` is false.
        """
        places, complete = dict(proof.places), proof.complete
        for name in names:
            first, *others = places[name]
            if first.agreement is None and first.evidence < SURE:
                places[name] = (first,)
                continue
            if not any(_again(place, first) for place in others):
                places[name] = (first,)
                continue
            if time.monotonic() > deadline:
                places[name], complete = (first,), False
                continue
            # Most second places are no more than alike: only a true one is worth the search.
            places[name] = self._same(name, places[name], thing.pixels, collection)
            if len(places[name]) > 1:
                every = self._every(name, places[name], thing, collection)
                places[name] = self._same(name, every, thing.pixels, collection)
        return replace(proof, places=places, complete=complete)

    def _every(self, name: str, known: Places, thing: Thing, collection: str) -> Places:
        """Return every place of an image, the first one first."""
        try:
            keypoints = self.verifier.keypoints(collection, name)
        except Transient:
            return known
        if keypoints is None:
            return known
        first = known[0]
        more = [
            place
            for query in thing.queries or ()
            if query.mirrored == first.mirrored
            for place in every_placement(query, keypoints, MOST, DOUBTFUL)
        ]
        return first, *(p for p in merged((), more) if p.box.iou(first.box) < SAME_PLACE_IOU)

    def _same(
        self, name: str, every: Places, queries: Sequence[Image.Image], collection: str
    ) -> Places:
        """Return the places that show the thing as well as the best of them does, best first.

        They are compared in detail, unless that was done.
        """
        if queries and any(place.agreement is None for place in every):
            opened = self.opener.open(collection, name, every)
            if opened is not None and opened.pixels <= PIXELS:
                every = opened.compared(queries)
        first, *others = best_first(every)
        shown = [place.agreement for place in every if place.evidence >= FOUND]
        best = max((one for one in shown if one is not None), default=first.agreement)
        kept = [place for place in others if as_good(place, best)]
        kept.sort(key=lambda place: (-(place.agreement or 0), -place.evidence))
        return first, *kept


def _again(place: Placement, first: Placement) -> bool:
    """Tell whether a place could be the same thing once more.

    What was found the other way round, or with far less evidence, is only alike.
    """
    return place.mirrored == first.mirrored and place.evidence >= AGAIN * first.evidence
