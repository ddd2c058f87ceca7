"""Pictures to learn detection from: photos side by side, and cut-outs laid on photos.

A cut-out's box is known without anybody having drawn it, and it may show anything: it teaches
that a thing is what has an outline of its own, also where the teacher has no class for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lab.training.pictures.boxes import Corners, random_box
from lab.training.pictures.photos import Pixels, TrainingPhoto
from lab.training.pictures.views import resized

GREY = 114
MAX_CUTOUTS = 6
"""On a canvas of `SMALL_PX`; on larger ones in proportion to the side."""
SMALL_PX = 320
LEAST_PART_PX = 105
"""Photos that share a canvas have parts of about this side at least."""
FINE_PX = 400
"""Photos whose longer side is at least this also fill a canvas alone."""
Canvas = tuple[Pixels, list[Corners]]
"""A picture and the boxes of its cut-outs, in its pixels."""


class Canvases:
    """Canvases by number, each made from the seed and its number alone.

    Every other one is a part of a finer photo where there are such: a scene as it was taken.
    """

    def __init__(self, photos: Sequence[TrainingPhoto], *, side_px: int, seed: int) -> None:
        """Take squares of `side_px`."""
        self._photos, self._side, self._seed = photos, side_px, seed
        self._fine = [photo for photo in photos if max(photo.size) >= FINE_PX]

    def __getitem__(self, number: int) -> Canvas:
        """Make a canvas, (side, side, 3) uint8."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng((self._seed, number))
        if number % 2 and self._fine:
            return self._scene(self._fine[int(rng.integers(len(self._fine)))].pixels, rng), []
        return self._canvas(self._side, rng)

    def _scene(self, photo: Pixels, rng: np.random.Generator) -> Pixels:
        """Return a part of a photo, enlarged so that it fills the canvas, or most of it."""
        side = self._side
        gain = side / max(photo.shape[:2]) * math.exp(rng.uniform(0, 0.5))
        pixels = resized(photo, *(round(n * gain) for n in (photo.shape[1], photo.shape[0])))
        y, x = (int(rng.integers(max(0, n - side) + 1)) for n in pixels.shape[:2])
        part = pixels[y : y + side, x : x + side]
        canvas = np.full((side, side, 3), GREY, np.uint8)
        canvas[: part.shape[0], : part.shape[1]] = part
        return cv2.flip(canvas, 1) if rng.random() < 0.5 else canvas

    def _canvas(self, side: int, rng: np.random.Generator) -> Canvas:
        canvas = self._mosaic(side, rng)
        boxes = []
        if rng.random() < 0.6:
            for _ in range(rng.integers(1, MAX_CUTOUTS * max(1, side // SMALL_PX) + 1)):
                boxes.append(self._lay_cutout(canvas, rng))
        if rng.random() < 0.5:
            canvas = cv2.flip(canvas, 1)
            boxes = [(side - x2, y1, side - x1, y2) for x1, y1, x2, y2 in boxes]
        return _relit(canvas, rng), visible(boxes)

    def _mosaic(self, side: int, rng: np.random.Generator) -> Pixels:
        """Photos side by side, from one alone to rows of as many as stay about their own size.

        Enlarged photos show what large things look like, small parts show small things as sharp
        as a camera does.
        """
        canvas = np.full((side, side, 3), GREY, np.uint8)
        parts = int(rng.integers(1, max(1, side // LEAST_PART_PX) + 1))
        low, high = (0.6, 1.6) if parts == 1 else (0.9, 1.8)
        xs, ys = (_cuts(side, parts, rng) for _ in range(2))
        for top, bottom in pairwise(ys):
            for left, right in pairwise(xs):
                part = canvas[top:bottom, left:right]
                self._place(part, self._photo(rng), rng.uniform(low, high), rng)
        return canvas

    def _place(self, canvas: Pixels, photo: Pixels, scale: float, rng: np.random.Generator) -> None:
        """Draw the photo into the canvas, scaled to its longer side, at a random place."""
        height, width = canvas.shape[:2]
        gain = scale * max(height, width) / max(photo.shape[:2])
        w, h = (max(1, round(n * gain)) for n in (photo.shape[1], photo.shape[0]))
        pixels = resized(photo, w, h)
        x, y = _offset(width, w, rng), _offset(height, h, rng)
        left, top, right, bottom = max(0, x), max(0, y), min(width, x + w), min(height, y + h)
        canvas[top:bottom, left:right] = pixels[top - y : bottom - y, left - x : right - x]

    def _lay_cutout(self, canvas: Pixels, rng: np.random.Generator) -> Corners:
        photo, most = self._photo(rng), canvas.shape[0]
        x1, y1, x2, y2 = random_box(photo.shape[1], photo.shape[0], rng)
        side = math.exp(rng.uniform(math.log(14), math.log(0.6 * most)))
        stretch = math.exp(rng.uniform(-0.6, 0.6))
        w, h = (int(min(most, max(8, n))) for n in (side * stretch, side / stretch))
        cut = resized(photo[int(y1) : int(y2), int(x1) : int(x2)], w, h)
        mask = _outline(w, h, rng)
        x, y = int(rng.integers(0, most - w + 1)), int(rng.integers(0, most - h + 1))
        ground = canvas[y : y + h, x : x + w]
        if mask is None:
            ground[:] = cut
            return (x, y, x + w, y + h)
        share = mask[..., None].astype(np.uint16)
        ground[:] = (share * cut + (255 - share) * ground) // 255
        left, top, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
        return (x + left, y + top, x + left + width, y + top + height)

    def _photo(self, rng: np.random.Generator) -> Pixels:
        return self._photos[int(rng.integers(len(self._photos)))].pixels


def visible(boxes: Sequence[Corners]) -> list[Corners]:
    """Return the boxes of which later ones cover less than half."""
    return [
        box for n, box in enumerate(boxes) if all(_covered(box, b) < 0.5 for b in boxes[n + 1 :])
    ]


def _covered(box: tuple[float, ...], by: tuple[float, ...]) -> float:
    w = min(box[2], by[2]) - max(box[0], by[0])
    h = min(box[3], by[3]) - max(box[1], by[1])
    return max(0.0, w) * max(0.0, h) / ((box[2] - box[0]) * (box[3] - box[1]))


def _offset(room: int, size: int, rng: np.random.Generator) -> int:
    low, high = sorted((0, room - size))
    return int(rng.integers(low, high + 1))


def _cuts(side: int, parts: int, rng: np.random.Generator) -> list[int]:
    """Return where `parts` parts begin and end along a side: about equal, none empty."""
    moved = rng.uniform(-0.2, 0.2, parts - 1)
    return [0, *(int((n + 1 + d) * side / parts) for n, d in enumerate(moved)), side]


def _outline(width: int, height: int, rng: np.random.Generator) -> npt.NDArray[Any] | None:
    """Return a mask (height, width) uint8 of an ellipse, a blob or a turned rectangle.

    None stands for the whole, upright rectangle.
    """
    if rng.random() < 0.4:
        return None
    mask: npt.NDArray[Any] = np.zeros((height, width), np.uint8)
    corners = int(rng.choice((4, 32, 12)))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 2 * np.pi)
    reach = 1 - (rng.uniform(0, 0.5, corners) if corners == 12 else 0)
    points = np.stack([np.cos(angles) * reach, np.sin(angles) * reach], 1) * 0.5 + 0.5
    polygon = np.round(points * (width - 1, height - 1)).astype(np.int32)
    cv2.fillPoly(mask, [polygon], 255)
    if rng.random() < 0.5:
        mask = cv2.GaussianBlur(mask, (3, 3), 0)
    return mask if (mask > 127).any() else None


def _relit(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    tint = rng.uniform(0.6, 1.35) * rng.uniform(0.92, 1.08, 3)
    relit: Pixels = cv2.transform(pixels, np.diag(tint))
    return relit
