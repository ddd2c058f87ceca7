"""Boxes that trained detectors give on a canvas: labels that nobody has to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lab.training.pictures.boxes import Corners, iou
from lab.training.pictures.photos import Pixels
from worker.models.checkpoint import load_checkpoint
from worker.models.yolov5 import YoloV5Detector

MOST = 400
"""Boxes of a canvas by one teacher."""
SAME_IOU = 0.65
Labels = NDArray[np.float32]
"""(boxes, 5): corners in pixels of the canvas, and how sure it is that they are a thing's, 0..1."""


@dataclass(frozen=True)
class BoxTeacher:
    """A detector, what it has to be sure of, and what is added to its confidence."""

    detector: YoloV5Detector
    threshold: float
    lift: float

    def __call__(self, image: Image.Image) -> list[tuple[Corners, float]]:
        """Return the boxes on an RGB image, each with how sure it is."""
        (found,) = self.detector.detect([image], confidence_threshold=self.threshold)
        return [
            ((hit.x1, hit.y1, hit.x2, hit.y2), min(1.0, self.lift + hit.confidence))
            for hit in found[:MOST]
        ]


def load_box_teacher(
    weights: Path, cache: Path, device: torch.device, dtype: torch.dtype
) -> BoxTeacher:
    """Load YOLOv5 weights as a teacher.

    One of many kinds is sure of what it names; one that only knows things says of many by a few
    hundredths that they are some. Raises InvalidModel.
    """
    checkpoint = load_checkpoint(weights, cache)
    threshold, lift = (0.15, 0.35) if len(checkpoint.names) > 1 else (0.04, 0.15)
    detector = YoloV5Detector(checkpoint, device, batch_size=1, dtype=dtype)
    return BoxTeacher(detector, threshold, lift)


def labels(
    canvas: Pixels, cutouts: Sequence[Corners], teachers: Sequence[BoxTeacher], most: int
) -> Labels:
    """Return what is to be found on a canvas: its cut-outs, and what the teachers see.

    Of boxes of one thing the surest is kept; at most `most`, the surest first.
    """
    image = Image.fromarray(canvas)
    said = [(box, 1.0) for box in cutouts] + [hit for teacher in teachers for hit in teacher(image)]
    kept: list[tuple[Corners, float]] = []
    for box, sure in sorted(said, key=lambda hit: -hit[1]):
        if len(kept) < most and all(iou(box, other) < SAME_IOU for other, _ in kept):
            kept.append((box, sure))
    return np.array([(*box, sure) for box, sure in kept], np.float32).reshape(-1, 5)
