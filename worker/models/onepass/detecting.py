"""From what the detector says of each cell to boxes of things, no thing twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.models.base import Detection
from worker.models.onepass.engine import Floats
from worker.models.onepass.scales import Scale
from worker.native.boxes import apart

LABEL = "object"
LARGE_ANCHORS = ((64, 64), (44, 88), (88, 44), (112, 112))
SMALL_ANCHORS = ((22, 22), (16, 32), (32, 16), (38, 38))
"""Width and height in pixels of a scale, at strides 16 and 8."""
LEAST_CONFIDENCE = 0.01
MAX_CANDIDATES = 4096
MAX_DETECTIONS = 1200
SAME_IOU = 0.6


@dataclass(frozen=True)
class Candidates:
    """Boxes before suppression: corners float32 (N, 4) in the image's pixels, and confidences."""

    boxes: Floats
    confidences: Floats

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """Return the candidates of several scales as one."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.confidences for part in parts]),
        )


def candidates(
    said: Floats, anchors: Sequence[tuple[int, int]], cell_px: int, scale: Scale
) -> Candidates:
    """Return the boxes that cells claim, in pixels of the image.

    `said` float32 (anchors * 5, rows, columns): for each anchor centre, size and confidence, as
    YOLOv5 codes them (Jocher, 2020): the centre within 1.5 cells, the size up to four times the
    anchor's.
    """
    rows, columns = said.shape[1:]
    said = said.reshape(len(anchors), 5, rows, columns)
    least = math.sqrt(LEAST_CONFIDENCE)
    least = math.log(least / (1 - least))
    anchor, row, column = np.nonzero(said[:, 4] > least)
    claims = _sigmoid(said[anchor, :, row, column])
    sizes = np.array(anchors, np.float32)[anchor] * (claims[:, 2:4] * 2) ** 2
    centres = (claims[:, :2] * 2 - 0.5 + np.stack([column, row], 1)) * cell_px
    ratios = np.array([scale.across, scale.down], np.float32)
    boxes = np.concatenate((centres - sizes / 2, centres + sizes / 2), axis=1)
    # Squared, because teachers with soft boxes have made the head too sure: what it says with less
    # than 0.2 boxed no more of what is labelled (40 COCO photos), and was a third of the boxes.
    return Candidates((boxes / np.tile(ratios, 2)).astype(np.float32), claims[:, 4] ** 2)


def clipped(found: Candidates, width: int, height: int) -> Candidates:
    """Return the candidates within an image of that size; what lies beside it is left out."""
    limits = np.array([width, height] * 2, np.float32)
    boxes = found.boxes.clip(0, limits)
    within = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return Candidates(boxes[within], found.confidences[within])


def detections(found: Candidates, confidence_threshold: float) -> list[Detection]:
    """Return what is at or above the threshold, most confident first, each thing once."""
    wanted = np.flatnonzero(found.confidences >= confidence_threshold)
    order = wanted[np.argsort(-found.confidences[wanted], kind="stable")][:MAX_CANDIDATES]
    boxes, confidences = found.boxes[order], found.confidences[order]
    kept = apart(boxes.astype(np.float64), SAME_IOU, False, MAX_DETECTIONS)
    return [_detection(boxes[n], confidences[n]) for n in kept]


def _detection(corners: Floats, confidence: np.float32) -> Detection:
    x1, y1, x2, y2 = corners.tolist()
    return Detection(x1, y1, x2, y2, LABEL, float(confidence))


def _sigmoid(values: Floats) -> Floats:
    result: NDArray[Any] = 1 / (1 + np.exp(-values))
    return result
