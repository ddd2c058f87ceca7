"""From a loaded query to things: one thing of all its parts, or each object in the first part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from PIL import Image

from common import pictures
from common.geometry import Box
from worker.boxes import apart, corners
from worker.models.base import Detection, Detector
from worker.searching.loading import LoadedQuery
from worker.searching.options import SearchOptions
from worker.searching.question import Question, Thing

MOST_THINGS = 6
"""Things in a query that are searched for with `detect`: each costs a search."""
LEAST_CONFIDENCE = 0.25
"""A detection of less is as often nothing; regions are proposed from far less."""
WHOLE_SHARE = 0.9
"""A detection that covers this share of the query is the query itself."""
SAME_THING_IOU = 0.5
"""Of detections that overlap this much the most confident is searched for."""


@dataclass(frozen=True)
class ThingDetector:
    """Divides a query into things, with a detector where the request says `detect`."""

    load_detector: Callable[[], Detector | None]
    """Takes seconds; called by the first search that asks to detect."""

    def things(self, query: LoadedQuery, options: SearchOptions) -> Question:
        """Return the question, its things not embedded yet."""
        if options.order.detect and query.given:
            things = [
                *self._detected(query.given[0], query.scale),
                *(Thing((pixels,)) for pixels in (*query.given[1:], *query.examples)),
            ]
        else:
            things = [Thing((*query.given, *query.examples))]
        return Question(tuple(things), Thing(query.negatives) if query.negatives else None)

    def _detected(self, pixels: Image.Image, scale: float) -> list[Thing]:
        """Return the things in a part of the query; the part itself where there is none.

        Their boxes are those in the query as it was given, `scale` times as large.
        """
        if self._detector is None:
            return [Thing((pixels,))]
        every = self._detector.detect([pixels], confidence_threshold=LEAST_CONFIDENCE)[0]
        chosen = _different(every, *pixels.size)[:MOST_THINGS]
        things = [
            Thing((pictures.crop(pixels, box),), _scaled(detection, scale))
            for box, detection in chosen
        ]
        return things or [Thing((pixels,))]

    @cached_property
    def _detector(self) -> Detector | None:
        return self.load_detector()


def _scaled(detection: Detection, scale: float) -> Detection:
    corners = ("x1", "y1", "x2", "y2")
    return replace(detection, **{name: scale * getattr(detection, name) for name in corners})


def _different(every: Sequence[Detection], width: int, height: int) -> list[tuple[Box, Detection]]:
    """Return detections that show different things, most confident first, with whole boxes."""
    boxes = [Box.covering((d.x1, d.y1, d.x2, d.y2), width, height) for d in every]
    parts = [
        (box, detection)
        for box, detection in zip(boxes, every, strict=True)
        if box.area < WHOLE_SHARE * width * height
    ]
    rows = apart(corners(box for box, _ in parts), SAME_THING_IOU, equal_is_same=True)
    return [parts[row] for row in rows]
