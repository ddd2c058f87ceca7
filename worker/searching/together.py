"""Photos that hold all of several things first, then those that hold some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from worker.searching.certainty import LIKELY
from worker.searching.judging import Found, Likeness


@dataclass(frozen=True)
class Holding:
    """A photo and what was found in it, by the number of the thing; `things` were searched for."""

    image_id: str
    found: Mapping[int, Found]
    things: int

    @cached_property
    def probability(self) -> float:
        """Return the share of the things that is expected to be in the photo, 0..1."""
        return sum(one.probability for one in self.found.values()) / self.things

    @property
    def rise(self) -> float:
        """Return the mean of how far the things' scores stand out from those of other photos."""
        return sum(one.rise for one in self.found.values()) / self.things

    @property
    def likeness(self) -> Likeness:
        """Return what the score says: all things' scores say the same."""
        return next(iter(self.found.values())).likeness

    @property
    def likely(self) -> int:
        """Return how many of the things are probably in the photo."""
        return sum(one.probability >= LIKELY for one in self.found.values())

    @property
    def score(self) -> float:
        """Return the mean of the things' scores; one that no search brought up counts as 0."""
        return sum(one.match.score for one in self.found.values()) / self.things

    @property
    def standing(self) -> float:
        """Return what photos with as many likely things are ordered by."""
        return sum(one.standing for one in self.found.values()) / self.things


def together(found: Sequence[Sequence[Found]]) -> list[Holding]:
    """Return the photos of all things, the best first. One thing's photos keep their order."""
    by_photo: dict[str, dict[int, Found]] = {}
    for number, photos in enumerate(found):
        for photo in photos:
            by_photo.setdefault(photo.match.image_id, {})[number] = photo
    holding = [Holding(name, things, len(found)) for name, things in by_photo.items()]
    if len(found) > 1:
        holding.sort(key=lambda photo: (-photo.likely, -photo.standing, photo.image_id))
    return holding
