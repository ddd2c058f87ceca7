"""How far an image shows, at a verified place, what the query shows: detail by detail.

Local features agree on where a thing is; that says little of what lies between them. Another code,
another number or flavour, another mug with the same emblem share corners and letters. So the place
is brought into the query's frame and compared block by block (normalised correlation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat

from PIL import Image

from common.log import with_context
from worker.local.placement import FOUND, Placement
from worker.searching.opening import Opened, Opener
from worker.searching.standing import SURE
from worker.searching.verifying import Places, Proof

IMAGES = 4
"""Images whose places are compared together."""
MOST_IMAGES = 12
"""Those that are compared, as many at a time, as long as none agrees."""
AGREES = 0.6
RIVAL = 0.35
"""At first only those are, whose evidence is at least this share of the most."""
CHANCE = 0.25
"""Agreement below which a proof that chance might give was given by chance."""
CONFIRMED = 0.85
"""Agreement from which on a place is shown to be right that local features alone do not prove."""
AS_GOOD = 0.8
"""A place shows the same if it agrees with the query by this share of what the best one does."""
PIXELS = 48_000_000
"""Most pixels that are decoded for it in a search, 11 bytes each for a moment."""


@dataclass(frozen=True)
class Agreer:
    """Compares the details of the best verified places with the query's."""

    opener: Opener

    def compare(self, proof: Proof, queries: Sequence[Image.Image], collection: str) -> Proof:
        """Return the proof with the agreement of its best places, and without what is not there.

        `queries` are a thing's RGB images, any of which may be what an image shows.
        """
        every = {**proof.doubtful, **proof.places}
        left = PIXELS
        with ThreadPoolExecutor(IMAGES) as pool:
            for rivals in _rounds(proof) if queries else ():
                places = [every[name] for name in rivals]
                read = pool.map(with_context(self.opener.open), repeat(collection), rivals, places)
                wanted, left = _within(read, left)
                seen = list(pool.map(lambda one: one.compared(queries), wanted))
                every |= {
                    one.image_id: best_first(places)
                    for one, places in zip(wanted, seen, strict=True)
                }
                if any((places[0].agreement or 0) >= AGREES for places in seen):
                    break
        kept = {name: lasting for name, places in every.items() if (lasting := _lasting(places))}
        return replace(proof, places=kept, doubtful={})


def _within(read: Iterable[Opened | None], left: int) -> tuple[list[Opened], int]:
    """Return the images that could be read, as far as pixels are left, and how many then are."""
    opened: list[Opened] = []
    for one in read:
        if one is None:
            continue
        if one.pixels > left:
            return opened, 0
        left -= one.pixels
        opened.append(one)
    return opened, left


def surely_there(place: Placement) -> bool:
    """Tell whether a place needs no closer look: it is proven beyond chance, or its details are."""
    shown = place.agreement
    return place.evidence >= SURE or (shown is not None and shown >= CONFIRMED)


def _rounds(proof: Proof) -> Iterator[list[str]]:
    """Yield the images whose places are compared, those with the most evidence first.

    Where none of the first agrees, the next must not pass for surer because nobody looked.
    """

    def best(places: Mapping[str, Places]) -> list[str]:
        return sorted(places, key=lambda name: (-places[name][0].evidence, name))

    proven, most = best(proof.places), _most_evidence(proof)
    close = [name for name in proven if proof.places[name][0].evidence >= RIVAL * most]
    doubtful = best(proof.doubtful) if most < SURE else []
    first = [*close, *doubtful][:IMAGES]
    yield first
    later = [name for name in [*proven, *doubtful] if name not in first]
    for start in range(0, MOST_IMAGES - IMAGES, IMAGES):
        yield later[start : start + IMAGES]


def _most_evidence(proof: Proof) -> float:
    return max((own[0].evidence for own in proof.places.values()), default=0.0)


def as_good(place: Placement, best: float | None) -> bool:
    """Tell whether a place shows what another one does that agrees with the query so much."""
    if place.agreement is None or best is None:
        return place.evidence >= FOUND
    least = AS_GOOD * best
    return place.agreement >= (least if place.evidence >= FOUND else max(least, CONFIRMED))


def best_first(places: Places) -> Places:
    """Return the places, the surest first unless another one agrees far better with the query."""
    proven = [place for place in places if place.evidence >= FOUND] or list(places)
    best = max(proven, key=lambda place: place.agreement or 0)
    if as_good(places[0], best.agreement):
        return places
    return best, *(place for place in places if place is not best)


def _lasting(places: Places) -> Places:
    """Return the places that are proven, now that they were compared."""
    return tuple(place for place in places if _is_proven(place))


def _is_proven(place: Placement) -> bool:
    shown = place.agreement
    if place.evidence < FOUND:
        return shown is not None and shown >= CONFIRMED
    return shown is None or shown >= CHANCE or place.evidence >= SURE
