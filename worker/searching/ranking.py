"""From judged things to the images of the answer: their order, and the hits that each shows.

Images that hold all of several things come first, then those that hold some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

from common.catalogue import Catalogue, ImageRecord
from common.contract.fields import Likeness
from worker.searching.certainty import LIKELY
from worker.searching.hits import ShownHit, shown_hits
from worker.searching.judging import Judged, JudgedImage
from worker.searching.options import SearchOptions


@dataclass(frozen=True)
class Holding:
    """An image and how it was judged, by the number of the thing; `things` were searched for."""

    image_id: str
    judged: Mapping[int, JudgedImage]
    things: int

    @cached_property
    def probability(self) -> float:
        """Return the share of the things that is expected to be in the image, 0..1."""
        return sum(image.probability for image in self.judged.values()) / self.things

    @property
    def rise(self) -> float:
        """Return the mean of how far the things' scores stand out from those of other images."""
        return sum(image.rise for image in self.judged.values()) / self.things

    @property
    def likeness(self) -> Likeness:
        """Return what the score says: all things' scores say the same."""
        return next(iter(self.judged.values())).likeness

    @cached_property
    def surest(self) -> Sequence[int]:
        """Return the numbers of the things, the one that is most probably in the image first."""
        return sorted(self.judged, key=lambda number: -self.judged[number].probability)

    @property
    def likely(self) -> Sequence[int]:
        """Return the numbers of the things that are probably in the image, the surest first."""
        return [one for one in self.surest if self.judged[one].probability >= LIKELY]

    @property
    def verified(self) -> bool:
        """Return whether any of the things is verified in it."""
        return any(image.places for image in self.judged.values())

    @property
    def count(self) -> int:
        """Return how many of its places are verified to show one of the things."""
        return sum(len(image.places) for image in self.judged.values())

    @property
    def score(self) -> float:
        """Return the mean of the things' scores; one that no search brought up counts as 0."""
        return sum(image.match.score for image in self.judged.values()) / self.things

    @property
    def standing(self) -> float:
        """Return what images with as many likely things are ordered by."""
        return sum(image.standing for image in self.judged.values()) / self.things

    def hits(self, most: int) -> list[tuple[int, ShownHit]]:
        """Return at most `most` hits, one at least of each thing, and the thing's number of each.

        Of each thing the verified places come first, and the things take turns, the surest first.
        """
        by_thing = [
            [(number, hit) for hit in shown_hits(image.match, image.places)]
            for number, image in ((number, self.judged[number]) for number in self.surest)
        ]
        turns = [hit for row in zip_longest(*by_thing) for hit in row if hit is not None]
        return turns[: max(most, len(by_thing))]


@dataclass(frozen=True)
class RankedImage:
    """An image of the answer: its record, and the hits to show with the number of their thing."""

    holding: Holding
    record: ImageRecord
    hits: Sequence[tuple[int, ShownHit]]


@dataclass(frozen=True)
class Ranker:
    """Orders the images of all things."""

    catalogue: Catalogue

    def ranked(self, judged: Sequence[Judged], options: SearchOptions) -> list[RankedImage]:
        """Return the images of the answer, the best first, at most the request's `limit`.

        The next take the places of images that were deleted meanwhile.
        """
        every = together([thing.images for thing in judged])
        records = self.catalogue.find(options.collection, [image.image_id for image in every])
        most = options.grouping.hits_per_image
        there = [image for image in every if image.image_id in records]
        return [
            RankedImage(image, records[image.image_id], image.hits(most))
            for image in there[: options.grouping.limit]
        ]


def together(judged: Sequence[Sequence[JudgedImage]]) -> list[Holding]:
    """Return the images of all things, the best first. One thing's images keep their order."""
    by_image: dict[str, dict[int, JudgedImage]] = {}
    for number, images in enumerate(judged):
        for image in images:
            by_image.setdefault(image.match.image_id, {})[number] = image
    holding = [Holding(name, things, len(judged)) for name, things in by_image.items()]
    if len(judged) > 1:
        holding.sort(key=lambda image: (-len(image.likely), -image.standing, image.image_id))
    return holding
