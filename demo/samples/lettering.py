"""Invented names, and words drawn in weights, widths and slants that one typeface does not have.

The only font is the one inside Pillow, so that every machine draws the same letters.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demo.samples.canvas import Pen, trimmed
from demo.samples.colour import RGB
from demo.samples.texture import Size

_FIRST = (
    "Brin",
    "Tolm",
    "Fenn",
    "Quil",
    "Orv",
    "Tamb",
    "Nool",
    "Zeph",
    "Marl",
    "Pomb",
    "Wick",
    "Jun",
    "Kest",
    "Luma",
    "Obri",
    "Pell",
    "Rook",
    "Sorr",
    "Tiv",
    "Ulm",
    "Vand",
    "Yarr",
    "Bram",
    "Corv",
    "Dorn",
    "Elb",
    "Fjor",
    "Gril",
    "Hum",
    "Isk",
)
_LAST = (
    "dle",
    "mar",
    "imoor",
    "by",
    "ella",
    "erry",
    "io",
    "ano",
    "ow",
    "bel",
    "ette",
    "ido",
    "per",
    "ax",
    "ori",
    "und",
    "eska",
    "oon",
    "ilo",
    "ard",
    "ask",
    "ento",
    "ika",
    "ull",
    "ona",
    "isk",
)
_PLAIN = (
    "Oats",
    "Honey",
    "Tonic",
    "Ginger",
    "Crisps",
    "Beans",
    "Cocoa",
    "Lemon",
    "Barley",
    "Plum",
    "Nuts",
    "Chai",
    "Rye",
    "Mango",
    "Salt",
    "Pickles",
    "Noodles",
    "Berry",
    "Soda",
    "Almond",
    "Corn",
    "Rooibos",
    "Tomato",
    "Biscuit",
    "Malt",
    "Peach",
    "Lentils",
    "Cola",
)
_TITLES = (
    "The Salt Road",
    "A Map of Rain",
    "Nine Lanterns",
    "Low Tide",
    "The Clockmaker",
    "Wild Orchard",
    "Moth & Moon",
    "Far Harbour",
    "Silver Fox",
    "Paper Boats",
    "The Last Kiln",
    "Blue Hour",
    "North of June",
    "Quiet Engines",
    "Owls at Noon",
    "Small Thunder",
    "The Glass Hill",
    "Tin Soldier",
    "Winter Bees",
    "Red Comet",
    "Harvest Song",
    "Under Ice",
    "Copper Sky",
    "The Tall Grass",
    "Night Ferry",
    "Ember",
    "Sixteen Doors",
    "The Fig Tree",
)
_PLACES = (
    "Port Vell",
    "Lago Mira",
    "Tarn Hollow",
    "Isla Corva",
    "Old Brask",
    "Monte Sol",
    "Fjordby",
    "Cape Orrin",
    "Saint Ilda",
    "Vale Norr",
    "Pinewick",
    "Sandhaven",
    "Mistral Bay",
    "Kestrel Point",
)


def brand(rng: np.random.Generator) -> str:
    """An invented brand, such as ``Tolmeska``."""
    return str(rng.choice(_FIRST)) + str(rng.choice(_LAST))


def product(rng: np.random.Generator) -> str:
    """What is in the pack: an ordinary word."""
    return str(rng.choice(_PLAIN))


def title(rng: np.random.Generator) -> str:
    """An invented title of a book, a film or a concert."""
    return str(rng.choice(_TITLES))


def place(rng: np.random.Generator) -> str:
    """An invented place."""
    return str(rng.choice(_PLACES))


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def word(
    text: str,
    colour: RGB,
    *,
    bold: float = 0.0,
    slant: float = 0.0,
    spacing: float = 0.0,
    edge: RGB | None = None,
) -> Image.Image:
    """The text on one line as a tightly trimmed RGBA picture about 64 px high.

    ``bold`` thickens the strokes and ``spacing`` parts the letters, both over the letters'
    height; ``slant`` leans them (0.2 is italic); ``edge`` outlines them in a second colour.
    """
    size = 60
    stroke, rim = round(bold * size), 4 if edge else 0
    font = _font(size)
    step = [font.getlength(letter) + spacing * size + stroke for letter in text]
    sheet = Image.new("RGBA", (int(sum(step)) + size, size * 2), (*(edge or colour), 0))
    draw = ImageDraw.Draw(sheet)
    for ink, thick in ((edge, stroke + rim), (colour, stroke)):
        if ink:
            for letter, left in zip(text, np.cumsum([0.0, *step]), strict=False):
                at = (size / 3 + float(left), size * 0.35)
                draw.text(at, letter, ink, font=font, stroke_width=thick)
    if slant:
        lean = (1, slant, -slant * size, 0, 1, 0)
        sheet = sheet.transform(sheet.size, Image.Transform.AFFINE, lean, Image.Resampling.BICUBIC)
    return trimmed(sheet)


def styled(
    rng: np.random.Generator, text: str, colour: RGB, edge: RGB | None = None
) -> Image.Image:
    """The text in a random style: weight, slant, spacing, capitals or not."""
    bold = float(rng.choice([0.0, 0.03, 0.05, 0.07]))
    slant = float(rng.choice([0.0, 0.0, 0.2]))
    spacing = float(rng.choice([0.0, 0.0, 0.12]))
    shown = text.upper() if rng.random() < 0.5 else text
    return word(shown, colour, bold=bold, slant=slant, spacing=spacing, edge=edge)


def around(text: str, side: int, colour: RGB, radius: float, height: float) -> Image.Image:
    """The text set around a circle, as a square RGBA picture ``side`` px wide.

    ``radius`` reaches the middle of the letters and ``height`` is theirs, both over the side.
    """
    sheet = Pen((side, side))
    tall = max(4, round(height * sheet.wide))
    step = min(2 * np.pi / max(len(text), 1), height / radius * 0.85)
    start = -np.pi / 2 - step * (len(text) - 1) / 2
    for index, letter in enumerate(text):
        angle = start + index * step
        sign = Image.new("RGBA", (tall * 2, tall * 2), (*colour, 0))
        ImageDraw.Draw(sign).text(
            (tall, tall),
            letter,
            colour,
            font=_font(tall),
            anchor="mm",
            stroke_width=max(1, tall // 22),
        )
        turned = sign.rotate(-90 - np.degrees(angle), Image.Resampling.BICUBIC)
        x = sheet.wide * (0.5 + radius * np.cos(angle)) - tall
        y = sheet.wide * (0.5 + radius * np.sin(angle)) - tall
        sheet.image.alpha_composite(turned, (max(0, round(x)), max(0, round(y))))
    return sheet.done()


def small_print(rng: np.random.Generator, size: Size, colour: RGB, lines: int) -> Image.Image:
    """Rows of unreadably small print, as every pack and page has."""
    sheet = Pen(size)
    own = np.random.default_rng(int(rng.integers(2**62)))
    for row in range(lines):
        left, y = 0.0, (row + 0.5) / lines
        limit = 1.0 if row < lines - 1 else float(own.uniform(0.3, 0.8))
        while left < limit:
            right = min(limit, left + float(own.uniform(0.04, 0.16)))
            sheet.box(left, y - 0.22 / lines, right, y + 0.22 / lines, (*colour, 190))
            left = right + 0.025
    return sheet.done()
