"""From pictures to things: one of all pictures, or every object that is detected in the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from common import pictures
from common.geometry import Box
from worker.boxes import apart, corners
from worker.models.base import Detection, Detector
from worker.searching.loading import QueryPictures
from worker.searching.options import SearchOptions
from worker.searching.question import Question, Thing

MOST_THINGS = 6
"""Things of a picture that are searched for with `detect`: each costs a search."""
LEAST_CONFIDENCE = 0.25
"""A detection of less is as often nothing; regions are proposed from far less."""
WHOLE_SHARE = 0.9
"""A detection that covers this share of the picture is the picture itself."""
SAME_THING_IOU = 0.5
"""Of detections that overlap this much the most confident is searched for."""


@dataclass(frozen=True)
class ThingDetector:
    """Tells what of the pictures is one thing, with a detector where the request asks for it."""

    load_detector: Callable[[], Detector | None]
    """Takes seconds; called by the first search that asks to detect."""

    def things(self, loaded: QueryPictures, options: SearchOptions) -> Question:
        """Return the question, its things not embedded yet."""
        if options.order.detect and loaded.given:
            things = [
                *self._detected(loaded.given[0]),
                *(Thing((one,)) for one in (*loaded.given[1:], *loaded.examples)),
            ]
        else:
            things = [Thing((*loaded.given, *loaded.examples))]
        return Question(tuple(things), Thing(loaded.negatives) if loaded.negatives else None)

    def _detected(self, picture: Image.Image) -> list[Thing]:
        """Return the things in a picture; the picture itself where there is none."""
        if self._detector is None:
            return [Thing((picture,))]
        every = self._detector.detect([picture], confidence_threshold=LEAST_CONFIDENCE)[0]
        chosen = _different(every, *picture.size)[:MOST_THINGS]
        things = [Thing((pictures.crop(picture, box),), one) for box, one in chosen]
        return things or [Thing((picture,))]

    @cached_property
    def _detector(self) -> Detector | None:
        return self.load_detector()


def _different(every: Sequence[Detection], width: int, height: int) -> list[tuple[Box, Detection]]:
    """Return detections that show different things, most confident first, with whole boxes."""
    boxes = [Box.covering((one.x1, one.y1, one.x2, one.y2), width, height) for one in every]
    parts = [
        (box, one)
        for box, one in zip(boxes, every, strict=True)
        if box.area < WHOLE_SHARE * width * height
    ]
    rows = apart(corners(box for box, _ in parts), SAME_THING_IOU, equal_is_same=True)
    return [parts[row] for row in rows]
