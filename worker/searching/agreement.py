"""How much of a query's detail an image shows at a place: block by block.

The place is brought into the query's frame; normalised correlation compares what lies there. A
query shows more than the thing, as a rule: what lies around it may be different. So what lies
between the blocks that agree is judged by itself: another code has the same corners, and other
cells between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Numbers = NDArray[np.float64]

FRAME_PX = 96
"""The query's side, the root of its area, in which both are compared."""
BLOCK_PX = 16
SLACK_PX = 5
"""How far a block may lie from its place: no transform is exact, and few things are flat."""
PLAIN = 6.0
"""Grey levels that a block's pixels deviate from their mean at least; plainer ones say nothing."""
LEAST_BLOCKS = 3
WORSE = 0.5
"""Share of the query's detail that counts: that which the image shows the least."""
ALIKE = 0.7
"""Correlation from which on a block agrees."""


@dataclass(frozen=True)
class Agreement:
    """How much of a query's detail an image shows, 0..1: of the `whole`, and `of_part` alone.

    The part is what lies between the blocks that agree; it has `part` (0..1) of the detail.
    """

    whole: float
    part: float
    of_part: float


def agreement(query: Image.Image, image: Image.Image, quad: Floats) -> Agreement | None:
    """Return how much of the query's detail the image shows at a place.

    Both are RGB; `quad` (4, 2) are the query's corners in the image, as in `Placement`. None where
    the query has too little detail, or too little of it lies in the image.
    """
    frame = _frame(query)
    warped = _seen(image, quad, frame.shape[1], frame.shape[0])
    if warped is None:
        return None
    seen, inside = warped
    alike: list[float] = []
    weights: list[float] = []
    corners: list[tuple[int, int]] = []
    height, width = frame.shape[:2]
    for top in range(0, height - BLOCK_PX + 1, BLOCK_PX):
        for left in range(0, width - BLOCK_PX + 1, BLOCK_PX):
            block = frame[top : top + BLOCK_PX, left : left + BLOCK_PX]
            detail = float(block.std(axis=(0, 1)).max())
            around = (
                slice(max(0, top - SLACK_PX), top + BLOCK_PX + SLACK_PX),
                slice(max(0, left - SLACK_PX), left + BLOCK_PX + SLACK_PX),
            )
            if detail < PLAIN or not inside[around].all():
                continue
            found = cv2.matchTemplate(seen[around], block, cv2.TM_CCOEFF_NORMED)
            best = float(found.max())
            alike.append(max(0.0, best) if math.isfinite(best) else 0.0)
            weights.append(min(detail, 40.0))
            corners.append((left, top))
    if len(alike) < LEAST_BLOCKS:
        return None
    return _judged(np.array(alike), np.array(weights), np.array(corners, np.float32))


def _judged(alike: Numbers, weights: Numbers, corners: Floats) -> Agreement:
    whole = round(_of_the_worse(alike, weights), 3)
    agreeing = corners[alike >= ALIKE]
    if len(agreeing) < LEAST_BLOCKS:
        return Agreement(whole, 0.0, 0.0)
    hull = cv2.convexHull(agreeing)
    within = np.array(
        [cv2.pointPolygonTest(hull, corner.tolist(), False) >= 0 for corner in corners]
    )
    part = float(weights[within].sum() / weights.sum())
    of_part = _of_the_worse(alike[within], weights[within])
    return Agreement(whole, round(part, 3), round(of_part, 3))


def _of_the_worse(alike: Numbers, weights: Numbers) -> float:
    """Return the mean of the worse half: where one number differs, most else is the same."""
    order = np.argsort(alike)
    before = np.cumsum(weights[order]) - weights[order]
    half = np.clip(WORSE * weights.sum() - before, 0, weights[order])
    return float((alike[order] * half).sum() / half.sum())


def _frame(query: Image.Image) -> Floats:
    pixels = np.asarray(query)
    height, width = pixels.shape[:2]
    gain = FRAME_PX / math.sqrt(width * height)
    size = (max(BLOCK_PX, round(width * gain)), max(BLOCK_PX, round(height * gain)))
    how = cv2.INTER_AREA if gain < 1 else cv2.INTER_LINEAR
    sized: Any = cv2.resize(pixels, size, interpolation=how)
    return np.asarray(sized, np.float32)


def _seen(
    image: Image.Image, quad: Floats, width: int, height: int
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """Return the place in the query's frame, and which of its pixels the image has, if any."""
    low = np.maximum(np.floor(quad.min(axis=0)).astype(int) - 2, 0)
    high = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + 3, image.size)
    if (low >= high).any():
        return None
    part = np.asarray(image.crop((*low.tolist(), *high.tolist())))
    # Reduced first where the place is finer than the frame: warping reads single pixels.
    sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    gain = min(1.0, math.sqrt(width * height / max(1.0, float(sides.max() * sides.min()))))
    if gain < 1:
        size = tuple(max(1, round(side * gain)) for side in (part.shape[1], part.shape[0]))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    ratio = np.array([part.shape[1], part.shape[0]], np.float32) / np.maximum(high - low, 1)
    corners = ((quad - low) * ratio).astype(np.float32)
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(frame, corners)
    # Corners are those of pixels' edges; OpenCV counts from their centres.
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrix = np.linalg.inv(shift) @ matrix @ shift
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen: Any = cv2.warpPerspective(part, matrix, (width, height), flags=flags)
    whole = np.full(part.shape[:2], 255, np.uint8)
    inside: Any = cv2.warpPerspective(whole, matrix, (width, height), flags=flags)
    return np.asarray(seen, np.float32), np.asarray(inside) > 127
