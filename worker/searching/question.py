"""A question on its way: the things that are searched for, with what each stage learns of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from worker.local.match import Query
from worker.models.base import Detection, Embeddings


def _nothing() -> Embeddings:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class Thing:
    """One thing that is searched for.

    `pixels` are upright RGB. An image that holds any of them holds the thing; a text has none.
    `detection` is what the detector said of it where the things were detected. `embeddings`
    (E, dim) float32 are there once it is embedded. `queries` are the local features of its pixels,
    each as they are and mirrored; None where nothing is verified.
    """

    pixels: tuple[Image.Image, ...]
    detection: Detection | None = None
    embeddings: Embeddings = field(default_factory=_nothing, repr=False)
    queries: tuple[Query, ...] | None = None

    @property
    def aspect(self) -> float | None:
        """Width over height of the first pixels; None for a text."""
        return self.pixels[0].width / self.pixels[0].height if self.pixels else None


@dataclass(frozen=True)
class Question:
    """The things that images should hold, all of them, and what none of them should be like."""

    things: tuple[Thing, ...]
    unlike: Thing | None

    def with_each(self, change: Callable[[Thing], Thing]) -> Question:
        """Return the question with each thing changed, what images should not be like included."""
        unlike = None if self.unlike is None else change(self.unlike)
        return replace(self, things=tuple(change(thing) for thing in self.things), unlike=unlike)
