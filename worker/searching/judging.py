"""What a search found of one thing, and what takes turns where the thing itself is not found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest

from worker.local.placement import Placement
from worker.searching.grouping import Match
from worker.searching.proving import standing


class Likeness(StrEnum):
    """What a score is the likeness of: the thing itself, or (also) the kind of thing it is."""

    THING = "thing"
    KIND = "kind"


@dataclass(frozen=True)
class Found:
    """A photo that may hold the thing: its match, its verified places, and how sure that is.

    `standing` is what photos are ordered by, `probability` 0..1 that the thing itself is in it,
    `rise` how far its score as that thing stands out: see `worker.searching.certainty`. `likeness`
    tells what the match's score says.
    """

    match: Match
    places: tuple[Placement, ...]
    standing: float
    probability: float
    rise: float
    likeness: Likeness = Likeness.THING

    def of_kind(self, match: Match) -> Found:
        """Return the same photo as a match of the kind: elsewhere perhaps, and no surer."""
        name = match.image_id
        stands = standing(match.score, {name: self.places}, name)
        return replace(self, match=match, standing=stands, likeness=Likeness.KIND)


def of_kind(alike: Iterable[Match], found: Sequence[Found]) -> Iterator[Found]:
    """Yield the matches of the kind, each as sure to be the thing itself as its photo was `found`.

    One that was not is no surer than the least sure that was.
    """
    known = {one.match.image_id: one for one in found}
    least = min(found, key=lambda one: one.probability, default=None)
    chance, rise = (least.probability, least.rise) if least else (0.0, 0.0)
    for match in alike:
        own = known.get(match.image_id) or Found(match, (), match.score, chance, rise)
        yield own.of_kind(match)


def by_turns(first: Sequence[Found], second: Sequence[Found], each: int = 1) -> list[Found]:
    """Return the best of both, in turns, and of a photo that is in both what comes first.

    So many of the second follow `each` of the first.
    """
    followers = [second[start : start + each] for start in range(0, len(second), each)]
    turns: dict[str, Found] = {}
    for one, behind in zip_longest(first, followers, fillvalue=None):
        for its in (one, *(behind or ())):
            if its is not None:
                turns.setdefault(its.match.image_id, its)
    return list(turns.values())
