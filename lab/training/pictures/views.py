"""A region as somebody's small image shows it: framed, tilted, lit and compressed otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lab.training.pictures.boxes import Corners
from lab.training.pictures.photos import Pixels


@dataclass(frozen=True)
class Strength:
    """How far views stray: chances 0..1 of each change, and the reach of the framing."""

    framing: float
    """Each side of the box moves by up to this share of the box's side."""
    mirror: float = 0.3
    tilt: float = 0.3
    """Rotation to 20 degrees and a little perspective."""
    background: float = 0.0
    low_resolution: float = 0.0
    colour: float = 0.8
    dark: float = 0.1
    grey: float = 0.04
    blur: float = 0.15
    hidden: float = 0.0
    jpeg: float = 0.0


SEARCHED = Strength(framing=0.12, background=0.15, low_resolution=0.45, hidden=0.15, jpeg=0.5)
"""As most small images are that somebody searches with."""
ASTRAY = replace(SEARCHED, framing=0.2, tilt=0.35, background=0.25, hidden=0.3)
"""As those that are hard to recognise."""
MILD = Strength(
    framing=0.02, mirror=0.3, tilt=0, low_resolution=0.1, colour=0.3, dark=0, blur=0.05, jpeg=0.6
)
"""As one that was cut out of the very photo."""


class Views:
    """Cuts regions out of photos and alters them, into RGB squares of `side` pixels."""

    def __init__(self, side: int) -> None:
        self._side = side

    def view(
        self,
        photo: Pixels,
        box: Corners,
        strength: Strength,
        rng: np.random.Generator,
        backdrop: Pixels,
    ) -> Pixels:
        """Return one view, (side, side, 3) uint8; `backdrop` is another photo to lie on."""
        pixels = self._cut(photo, box, strength, rng)
        if rng.random() < strength.background:
            pixels = self._on(backdrop, pixels, rng)
        if rng.random() < strength.hidden:
            pixels = _hidden(pixels, rng)
        if rng.random() < strength.blur:
            pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.6))
        if rng.random() < strength.colour:
            pixels = _recoloured(pixels, rng, strength)
        return self._degraded(pixels, strength, rng)

    def _cut(
        self, photo: Pixels, box: Corners, strength: Strength, rng: np.random.Generator
    ) -> Pixels:
        x1, y1, x2, y2 = _framed(photo, box, strength.framing, rng)
        if rng.random() < strength.tilt:
            pixels = _tilted(photo, (x1, y1, x2, y2), rng)
        else:
            pixels = photo[int(y1) : math.ceil(y2), int(x1) : math.ceil(x2)]
        if rng.random() < strength.mirror:
            pixels = pixels[:, ::-1]
        return resized(pixels, self._side, self._side)

    def _on(self, backdrop: Pixels, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Lay the view, smaller and in another shape, on a plain ground or on another photo."""
        side = self._side
        if rng.random() < 0.5:
            colour = (255, 255, 255) if rng.random() < 0.5 else rng.integers(0, 256, 3)
            ground = np.full((side, side, 3), colour, np.uint8)
        else:
            ground = resized(backdrop, side, side).copy()
        w, h = (int(side * rng.uniform(0.55, 0.97)) for _ in range(2))
        x, y = rng.integers(0, side - w + 1), rng.integers(0, side - h + 1)
        ground[y : y + h, x : x + w] = resized(pixels, w, h)
        return ground

    def _degraded(self, pixels: Pixels, strength: Strength, rng: np.random.Generator) -> Pixels:
        """Lose resolution, then pass through JPEG at that resolution, as thumbnails do."""
        side = self._side
        if rng.random() < strength.low_resolution:
            small = int(math.exp(rng.uniform(math.log(14), math.log(64))))
            pixels = resized(pixels, small, small)
        if rng.random() < strength.jpeg:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 75))]
            encoded = cv2.imencode(".jpg", pixels, quality)[1]
            pixels = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
        return resized(pixels, side, side)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return the pixels at another size: areas averaged going down, cubic going up."""
    if pixels.shape[:2] == (height, width):
        return pixels
    down = width < pixels.shape[1] and height < pixels.shape[0]
    return cv2.resize(
        pixels, (width, height), interpolation=cv2.INTER_AREA if down else cv2.INTER_CUBIC
    )


def _framed(photo: Pixels, box: Corners, reach: float, rng: np.random.Generator) -> Corners:
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    d = rng.uniform(-reach, reach, 4)
    height, width = photo.shape[:2]
    return (
        max(0.0, x1 + d[0] * w),
        max(0.0, y1 + d[1] * h),
        min(float(width), x2 + d[2] * w),
        min(float(height), y2 + d[3] * h),
    )


def _tilted(photo: Pixels, box: Corners, rng: np.random.Generator) -> Pixels:
    x1, y1, x2, y2 = box
    w, h = max(8, round(x2 - x1)), max(8, round(y2 - y1))
    angle = math.radians(rng.uniform(-20, 20))
    corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32)
    centre = corners.mean(0)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    source = (corners - centre) @ turn.T + centre
    source += rng.uniform(-0.09, 0.09, (4, 2)) * (w, h)
    target = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32)
    warp = cv2.getPerspectiveTransform(source.astype(np.float32), target)
    return cv2.warpPerspective(photo, warp, (w, h), borderMode=cv2.BORDER_REFLECT_101)


def _hidden(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Cover a rectangle of up to 30 % of the area with one colour or with noise."""
    side = pixels.shape[0]
    w, h = (int(side * rng.uniform(0.15, 0.55)) for _ in range(2))
    x, y = rng.integers(0, side - w + 1), rng.integers(0, side - h + 1)
    covered: Pixels = pixels.copy()
    noise = rng.random() < 0.4
    covered[y : y + h, x : x + w] = rng.integers(0, 256, (h, w, 3) if noise else 3)
    return covered


def _recoloured(pixels: Pixels, rng: np.random.Generator, strength: Strength) -> Pixels:
    """Change brightness, contrast, gamma, tint and saturation, as cameras and lamps do."""
    if rng.random() < strength.grey:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    elif rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        colour = rng.uniform(0.35, 1.4)
        pixels = cv2.addWeighted(pixels, colour, grey, 1 - colour, 0)
    steps = np.arange(256) / 255
    light = rng.uniform(0.2, 0.5) if rng.random() < strength.dark else rng.uniform(0.6, 1.45)
    tint = light * rng.uniform(0.88, 1.12, (3, 1))
    curve = (steps ** rng.uniform(0.75, 1.35) - 0.5) * rng.uniform(0.65, 1.4) + 0.5
    table = np.clip(curve * tint * 255, 0, 255).astype(np.uint8)
    recoloured: Pixels = cv2.LUT(pixels, np.ascontiguousarray(table.T[None]))
    return recoloured
