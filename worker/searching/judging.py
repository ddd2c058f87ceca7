"""How sure each find is: images with their standing, their probability, and what a score says."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.contract.fields import Likeness
from worker.local.placement import Placement
from worker.searching.certainty import LIKELY, certainty
from worker.searching.grouping import Match
from worker.searching.proving import Proven
from worker.searching.question import Thing
from worker.searching.standing import standing
from worker.searching.verifying import Proof


@dataclass(frozen=True)
class JudgedImage:
    """An image that may hold the thing: its match, its verified places, and how sure that is.

    `standing` is what images are ordered by, `probability` 0..1 that the thing itself is in it,
    `rise` how far its score as that thing stands out: see `certainty.py`. `likeness` tells what
    the match's score says.
    """

    match: Match
    places: tuple[Placement, ...]
    standing: float
    probability: float
    rise: float
    likeness: Likeness = Likeness.THING

    def of_kind(self, match: Match) -> JudgedImage:
        """Return the same image as a match of the kind: elsewhere perhaps, and no surer."""
        stands = standing(match.score, self.places)
        return replace(self, match=match, standing=stands, likeness=Likeness.KIND)


@dataclass(frozen=True)
class Judged:
    """The images that may hold one thing, best first, more than the answer holds.

    `refused` are the images that were left out for what they should not be like.
    """

    thing: Thing
    images: tuple[JudgedImage, ...]
    proof: Proof
    refused: frozenset[str]

    @property
    def probability(self) -> float:
        """The greatest probability of an image; 0 without any."""
        return max((image.probability for image in self.images), default=0.0)

    @property
    def likely(self) -> bool:
        """Whether the thing itself is probably found."""
        return self.probability >= LIKELY


def judged(proven: Proven) -> Judged:
    """Return the images with how sure they are, in their order."""
    background = proven.candidates.background

    def image(match: Match) -> JudgedImage:
        places = proven.proof.places.get(match.image_id, ())
        return JudgedImage(
            match,
            places,
            standing(match.score, places),
            certainty(match.score, places, background),
            background.rise(match.score),
        )

    images = tuple(image(match) for match in proven.matches)
    return Judged(proven.candidates.thing, images, proven.proof, proven.refused)
