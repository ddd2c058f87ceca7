"""Judging detections against labelled boxes: recall, and average precision. Only numpy.

A detection matches the labelled box it overlaps most among those still free, in the order of
confidence. Difficult boxes are neither asked for nor held against a detection that meets one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.boxes import Floats, iou
from lab.evaluation.photos import LabelledBox
from worker.models.base import Detection


@dataclass(frozen=True)
class Judged:
    """One photo's detections, most confident first, as arrays of length n.

    `counts` is False for detections that meet a difficult box and are not judged; `wanted` is
    how many boxes there were to find.
    """

    confidence: Floats
    correct: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    wanted: int


def judge(detections: Sequence[Detection], boxes: Sequence[LabelledBox], at: float) -> Judged:
    """Match detections, most confident first, with boxes of any label at an IoU of `at`."""
    correct, counts = np.zeros(len(detections), bool), np.ones(len(detections), bool)
    confidence = np.array([hit.confidence for hit in detections], np.float64)
    easy = np.array([not box.difficult for box in boxes], bool)
    found = Judged(confidence, correct, counts, int(easy.sum()))
    if not detections or not boxes:
        return found
    overlaps = iou(
        [(hit.x1, hit.y1, hit.x2, hit.y2) for hit in detections], [box.corners for box in boxes]
    )
    free = easy.copy()
    for place, row in enumerate(overlaps):
        best = int(np.where(free, row, -1.0).argmax())
        if free[best] and row[best] >= at:
            free[best] = False
            correct[place] = True
        else:
            counts[place] = not (row[~easy] >= at).any()
    return found


def recall(photos: Iterable[Judged], best: int) -> float:
    """Return the share of all boxes that the `best` detections of each photo find."""
    found = wanted = 0
    for photo in photos:
        found += int(photo.correct[:best].sum())
        wanted += photo.wanted
    return found / wanted if wanted else float("nan")


def average_precision(photos: Sequence[Judged]) -> float:
    """Return the area under precision over recall, all photos' detections together, 0..1.

    Precision is made monotone first and the area is exact, as Pascal VOC does since 2010. NaN
    where there is no box.
    """
    wanted = sum(photo.wanted for photo in photos)
    if not wanted:
        return float("nan")
    confidence = np.concatenate([photo.confidence[photo.counts] for photo in photos])
    correct = np.concatenate([photo.correct[photo.counts] for photo in photos])
    correct = correct[np.argsort(-confidence, kind="stable")]
    precision = np.cumsum(correct) / np.arange(1, len(correct) + 1)
    at_least = np.maximum.accumulate(precision[::-1])[::-1]
    return float(at_least[correct].sum() / wanted)
