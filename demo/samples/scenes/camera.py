"""What a camera does to a scene: a tilted view, falling light, bloom, vignette, grain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from demo.samples.scenes.stage import Box
from demo.samples.texture import Field, Size, child

_GRAIN_PX = 400


@dataclass(frozen=True)
class Mood:
    """The light of a scene: gains of red, green, blue; how dark the corners get; grain 0..255."""

    warmth: tuple[float, float, float] = (1.03, 1.0, 0.95)
    vignette: float = 0.26
    light_from: tuple[float, float] = (0.3, 0.15)
    fall_off: float = 0.22
    grain: float = 3.2
    bloom: float = 0.14


def photograph(
    rng: np.random.Generator, scene: Image.Image, box: Box | None, mood: Mood
) -> tuple[Image.Image, Box | None]:
    """The scene as a camera sees it, and where the box then lies; the size stays."""
    matrix = _tilt(rng, scene.size)
    seen = scene.transform(
        scene.size,
        Image.Transform.PERSPECTIVE,
        tuple(matrix.ravel()[:8]),
        Image.Resampling.BICUBIC,
    )
    seen = _bloomed(seen, mood.bloom)
    pixels = np.asarray(seen, np.float32) * _light(scene.size, mood)[..., None]
    pixels *= np.asarray(mood.warmth, np.float32)
    pixels += _grain(rng, scene.size, mood.grain)[..., None]
    photo = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return photo, _moved(box, matrix, scene.size) if box else None


def _tilt(rng: np.random.Generator, size: Size) -> npt.NDArray[np.float64]:
    """The homography (3, 3) from the photo to the scene of a hand-held camera."""
    wide, high = size
    photo = np.asarray([(0, 0), (wide, 0), (wide, high), (0, high)], np.float64)
    inset = rng.uniform(0.004, 0.028, (4, 2)) * (wide, high)
    scene = photo + inset * [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    rows, values = [], []
    for (x, y), (u, v) in zip(photo, scene, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.asarray(rows), np.asarray(values)), 1.0).reshape(3, 3)


def _moved(box: Box, matrix: npt.NDArray[np.float64], size: Size) -> Box:
    x1, y1, x2, y2 = box
    corners = np.asarray([(x1, y1, 1), (x2, y1, 1), (x2, y2, 1), (x1, y2, 1)], np.float64)
    seen = corners @ np.linalg.inv(matrix).T
    xs, ys = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
    return (
        max(0, int(np.floor(xs.min()))),
        max(0, int(np.floor(ys.min()))),
        min(size[0], int(np.ceil(xs.max()))),
        min(size[1], int(np.ceil(ys.max()))),
    )


def _bloomed(picture: Image.Image, strength: float) -> Image.Image:
    """Bright places glow into what is beside them."""
    small = picture.reduce(8)
    glow = small.point(lambda value: max(0, value - 120) * 255 // 135)
    glow = glow.filter(ImageFilter.GaussianBlur(6)).resize(picture.size)
    pixels = np.asarray(picture, np.uint16)
    light = np.asarray(glow, np.uint16)
    gain = round(strength * 256)
    return Image.fromarray((pixels + (255 - pixels) * light // 255 * gain // 256).astype(np.uint8))


def _light(size: Size, mood: Mood) -> Field:
    """Light that falls off from its source, and darker corners: about 0.6..1.2."""
    y = np.linspace(0, 1, size[1], dtype=np.float32)[:, None]
    x = np.linspace(0, 1, size[0], dtype=np.float32)[None, :]
    source = np.hypot(x - mood.light_from[0], y - mood.light_from[1])
    corner = ((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.5
    return np.asarray(1.2 - mood.fall_off * source - mood.vignette * corner**1.4, np.float32)


def _grain(rng: np.random.Generator, size: Size, strength: float) -> Field:
    """Film grain: one tile of noise repeated, since the eye cannot tell."""
    tile = child(rng).normal(0, strength, (_GRAIN_PX, _GRAIN_PX)).astype(np.float32)
    times = (size[1] // _GRAIN_PX + 1, size[0] // _GRAIN_PX + 1)
    return np.tile(tile, times)[: size[1], : size[0]]
