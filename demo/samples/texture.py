"""Surfaces made of noise: paper, wood, cloth, plaster, brick. All return RGB images."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from demo.samples.colour import RGB, darker, jittered, mix

Field: TypeAlias = npt.NDArray[np.float32]
"""A float32 array (height, width)."""

Size: TypeAlias = tuple[int, int]
"""Width and height, in pixels."""


def child(rng: np.random.Generator) -> np.random.Generator:
    """A generator of its own for a texture.

    It takes one draw from the parent whatever the size, so that an item drawn at another size
    keeps its design.
    """
    return np.random.default_rng(int(rng.integers(2**62)))


def noise(rng: np.random.Generator, size: Size, cell: tuple[float, float]) -> Field:
    """Smooth noise 0..1 (height, width) whose blotches are about ``cell`` pixels (x, y)."""
    own = child(rng)
    columns = max(2, round(size[0] / cell[0]) + 1)
    rows = max(2, round(size[1] / cell[1]) + 1)
    coarse = Image.fromarray(own.random((rows, columns), dtype=np.float32))
    return np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32)


def fractal(rng: np.random.Generator, size: Size, cell: float, octaves: int = 3) -> Field:
    """Noise of several scales added, mean about 0, mostly within -0.5..0.5."""
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        total += (noise(rng, size, (step, step)) - np.float32(0.5)) * np.float32(0.6**octave)
    return total


def tinted(colour: RGB, field: Field) -> Image.Image:
    """The colour, multiplied pixel by pixel by 1 + field."""
    pixels = np.asarray(colour, np.float32) * (1 + field[..., None])
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def two_tone(one: RGB, other: RGB, share: Field) -> Image.Image:
    """Between two colours, pixel by pixel: share 0 is the first, 1 the other (clipped)."""
    first, second = np.asarray(one, np.float32), np.asarray(other, np.float32)
    weight = np.clip(share, 0, 1)[..., None]
    return Image.fromarray((first + (second - first) * weight).astype(np.uint8))


def paper(rng: np.random.Generator, size: Size, colour: RGB, rough: float = 0.05) -> Image.Image:
    """Paper or card: faint clouds and fibres."""
    fibres = noise(rng, size, (9, 1.5)) - np.float32(0.5)
    return tinted(colour, (fractal(rng, size, 40) + fibres) * np.float32(rough))


def plaster(rng: np.random.Generator, size: Size, colour: RGB, rough: float = 0.2) -> Image.Image:
    """A painted wall: large stains, small pits."""
    stains = fractal(rng, size, size[0] / 5, 4)
    pits = noise(rng, size, (3, 3)) - np.float32(0.5)
    return tinted(colour, stains * np.float32(rough) + pits * np.float32(rough * 0.35))


def cloth(rng: np.random.Generator, size: Size, colour: RGB, pitch: float = 4) -> Image.Image:
    """Woven cloth: two crossing threads of ``pitch`` pixels, unevenly dyed."""
    x = np.sin(np.arange(size[0], dtype=np.float32) * np.float32(2 * np.pi / pitch))
    y = np.sin(np.arange(size[1], dtype=np.float32) * np.float32(2 * np.pi / pitch))
    weave = x[None, :] * y[:, None]
    slubs = noise(rng, size, (60, 2)) + noise(rng, size, (2, 60)) - np.float32(1)
    clouds = fractal(rng, size, size[0] / 3)
    return tinted(colour, weave * np.float32(0.07) + slubs * np.float32(0.13) + clouds * 0.15)


def wood(rng: np.random.Generator, size: Size, colour: RGB) -> Image.Image:
    """One board: grain runs along x, rings warp around it."""
    warp = noise(rng, size, (size[0] / 2.5, size[1] / 2))
    y = np.linspace(0, 1, size[1], dtype=np.float32)[:, None]
    rings = np.sin((y * 5 + warp * 3.2) * np.float32(2 * np.pi * rng.uniform(1.2, 2.2)))
    streaks = noise(rng, size, (size[0] / 3, 2.0)) - np.float32(0.5)
    pores = noise(rng, size, (28, 1.4)) - np.float32(0.5)
    return tinted(colour, rings * 0.07 + streaks * np.float32(0.22) + pores * np.float32(0.16))


def planks(rng: np.random.Generator, size: Size, colour: RGB, boards: int) -> Image.Image:
    """Boards laid side by side along x, each cut from another tree, with dark joints."""
    picture = Image.new("RGB", size)
    edges = [round(size[1] * board / boards) for board in range(boards + 1)]
    draw = ImageDraw.Draw(picture)
    for top, bottom in pairwise(edges):
        shade = jittered(rng, colour, 0.07)
        picture.paste(wood(rng, (size[0], bottom - top), shade), (0, top))
        draw.line([(0, top), (size[0], top)], darker(colour, 0.75), 4)
        draw.line([(0, top + 4), (size[0], top + 4)], mix(colour, (255, 240, 220), 0.25), 2)
    return picture


def bricks(rng: np.random.Generator, size: Size, colour: RGB, course: int) -> Image.Image:
    """A brick wall whose courses are ``course`` pixels high, mortar between them."""
    mortar = mix(colour, (205, 196, 184), 0.7)
    wall = Image.new("RGB", size, mortar)
    draw = ImageDraw.Draw(wall)
    length, joint = round(course * 2.7), max(3, course // 10)
    for row, top in enumerate(range(0, size[1], course)):
        for left in range(-(row % 2) * length // 2, size[0], length):
            _brick(rng, draw, (left, top, left + length - joint, top + course - joint), colour)
    dirt = fractal(rng, size, size[0] / 4, 3) * np.float32(0.3)
    pits = (noise(rng, size, (3, 3)) - np.float32(0.5)) * np.float32(0.3)
    return _multiplied(wall.filter(ImageFilter.GaussianBlur(1)), 1 + dirt + pits)


def _brick(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    colour: RGB,
) -> None:
    shade = jittered(rng, mix(colour, (70, 48, 44), float(rng.beta(1.2, 4))), 0.05)
    draw.rounded_rectangle(box, 5, darker(shade, 0.35))
    draw.rounded_rectangle((box[0] + 2, box[1], box[2] - 3, box[3] - 4), 5, shade)


def _multiplied(picture: Image.Image, field: Field) -> Image.Image:
    pixels = np.asarray(picture, np.float32) * field[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
