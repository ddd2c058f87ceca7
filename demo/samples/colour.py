"""Colours: mixing, and the curated palettes that make an invented design look designed."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

RGB = tuple[int, int, int]
"""Red, green, blue, each 0..255."""

WHITE: RGB = (252, 250, 246)


@dataclass(frozen=True)
class Palette:
    """Five colours that go together: three of ink, one dark and one light for lettering."""

    base: RGB
    second: RGB
    accent: RGB
    dark: RGB
    light: RGB

    @property
    def inks(self) -> tuple[RGB, RGB, RGB]:
        """The three saturated colours."""
        return self.base, self.second, self.accent


_CURATED = (
    "d7263d f5b700 00798c 1b1b3a fff4e0",
    "17a398 f25f5c ffe066 12302b f7fff0",
    "2e4057 048ba8 f18f01 16202c f4f1de",
    "6a4c93 ff595e ffca3a 22143a fdf6ff",
    "386641 a7c957 bc4749 18301c f2e8cf",
    "ff7f51 720026 ffc8a2 35010f fff3e6",
    "0b3954 bfd7ea ff6663 06202f fdfff7",
    "e76f51 2a9d8f e9c46a 264653 fdf0d5",
    "9b2226 ee9b00 94d2bd 001219 f7ecd0",
    "3d348b f7b801 f35b04 17123f fff8e1",
    "5f0f40 fb8b24 0f4c5c 2b061c fff1d6",
    "f72585 4361ee 4cc9f0 1a0b3f fdf2ff",
    "606c38 dda15e bc6c25 283618 fefae0",
    "ef476f 06d6a0 ffd166 073b4c fffcf2",
    "8d5a97 a4c2a5 f4d58d 2f1b36 fbf7ee",
    "c1121f 669bbc fdf0d5 003049 fffaf0",
    "1d7874 f4c095 ee2e31 0a2f2d fff6ea",
    "ffb5a7 9d4edd 80ed99 2d1145 fff7f5",
    "264027 6f732f b38a58 121f13 f6efe0",
    "3a86ff ffbe0b fb5607 0b1f47 f8fbff",
    "5e503f c6ac8f 22333b 0a0908 f2ede1",
    "c9184a ff8fa3 590d22 32000f fff0f3",
    "007f5f d4d700 55a630 04291f fbffe3",
    "b5179e 7209b7 f9c74f 240046 fff3fc",
    "e63946 a8dadc 457b9d 1d3557 f1faee",
    "463f3a e0afa0 8a817c 1f1b18 f4f3ee",
)


def palette(rng: np.random.Generator) -> Palette:
    """One of the curated palettes, its hues turned a little and its inks in a random order."""
    colours = _CURATED[int(rng.integers(len(_CURATED)))].split()
    turn = float(rng.uniform(-0.03, 0.03))
    *inks, dark, light = (turned(parse(colour), turn) for colour in colours)
    first, second, third = (inks[int(i)] for i in rng.permutation(3))
    return Palette(first, second, third, dark, light)


def parse(colour: str) -> RGB:
    """The colour that six hexadecimal digits name."""
    return int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:], 16)


def hsv(hue: float, saturation: float, value: float) -> RGB:
    """The colour of a hue (turns), a saturation and a value (0..1, clipped)."""
    parts = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(parts[0] * 255), round(parts[1] * 255), round(parts[2] * 255)


def turned(colour: RGB, turns: float) -> RGB:
    """The colour with its hue turned by a fraction of the colour wheel."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    return hsv(hue + turns, saturation, value)


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """Between two colours: 0 is the first, 1 the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def darker(colour: RGB, share: float = 0.3) -> RGB:
    """The colour mixed with near black."""
    return mix(colour, (12, 10, 16), share)


def lighter(colour: RGB, share: float = 0.3) -> RGB:
    """The colour mixed with white."""
    return mix(colour, (255, 255, 255), share)


def luminance(colour: RGB) -> float:
    """How light the colour looks, 0..1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def readable_on(ground: RGB, colours: Palette) -> RGB:
    """The palette's light or dark colour, whichever reads better on the ground."""
    return colours.light if luminance(ground) < 0.55 else colours.dark


def jittered(rng: np.random.Generator, colour: RGB, amount: float = 0.08) -> RGB:
    """The colour a little lighter or darker, as no two of anything are printed alike."""
    gains: list[float] = rng.normal(1, amount, 3).tolist()
    red, green, blue = (
        min(255, max(0, int(part * gain))) for part, gain in zip(colour, gains, strict=True)
    )
    return red, green, blue
