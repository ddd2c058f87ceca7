"""Plans with thin lines, and walls of icons, of 12 megapixels: the same seed, the same pixels."""

from __future__ import annotations

import random
import string

from PIL import Image, ImageDraw, ImageFont

from lab.evaluation.photos import LabelledBox

SIZE_PX = (4000, 3000)
INK = (25, 25, 30)
GROUND = (241, 238, 230)
ROOMS = (14, 10)
"""Columns and rows of a plan; each room has an outfit of its own."""
GAP = 0.42
"""The way from icon to icon, as a share of an icon."""
ROWS = ((80, 5), (110, 4), (160, 3), (230, 2), (330, 1))
"""Sides of a wall's icons in pixels, and how many rows there are of each."""

At = tuple[int, int]


def plan(rng: random.Random) -> tuple[Image.Image, list[At]]:
    """Return a plan of rooms, and the places of what is drawn in them.

    Doors, sockets, sinks and valves are of few kinds and all of different measures; each has a
    number that no other has.
    """
    image = Image.new("RGB", SIZE_PX, (253, 253, 250))
    draw = ImageDraw.Draw(image)
    columns, rows = ROOMS
    numbers = iter(rng.sample(range(1000, 9999), columns * rows * 4))
    places: list[At] = []
    for column in range(columns):
        for row in range(rows):
            left, top = 60 + column * 277, 60 + row * 288
            _room(draw, rng, (left, top), (277, 288))
            for x, y in ((70, 75), (200, 85), (80, 210), (205, 215)):
                at = (left + x + rng.randint(-12, 12), top + y + rng.randint(-12, 12))
                _symbol(draw, rng, at, next(numbers))
                places.append(at)
    return image, places


def windows(
    places: list[At], sides: tuple[int, ...], each: int, rng: random.Random
) -> list[LabelledBox]:
    """Return `each` windows of every side, each around a place of its own."""
    around = iter(rng.sample(places, each * len(sides)))
    chosen = []
    for side in sides:
        for _ in range(each):
            x, y = next(around)
            left = min(max(0, x - side // 2 + rng.randint(-6, 6)), SIZE_PX[0] - side)
            top = min(max(0, y - side // 2 + rng.randint(-6, 6)), SIZE_PX[1] - side)
            corners = (float(left), float(top), float(left + side), float(top + side))
            chosen.append(LabelledBox(corners, "window", side_px=side))
    return chosen


def wall(rng: random.Random) -> tuple[Image.Image, list[LabelledBox]]:
    """Return a wall of some hundred different icons, and where each is."""
    image = Image.new("RGB", SIZE_PX, GROUND)
    boxes: list[LabelledBox] = []
    top = 20
    for side, rows in ROWS:
        step = round(side * (1 + GAP))
        for _ in range(rows):
            for left in range(20, SIZE_PX[0] - side - 20, step):
                image.paste(_icon(rng, side), (left, top))
                corners = (float(left), float(top), float(left + side), float(top + side))
                boxes.append(LabelledBox(corners, "icon", side_px=side))
            top += step
    return image, boxes


def _room(draw: ImageDraw.ImageDraw, rng: random.Random, at: At, size: tuple[int, int]) -> None:
    """Draw two lines for a wall, a door with its arc, and a measure."""
    (left, top), (width, height) = at, size
    draw.rectangle((left, top, left + width, top + height), outline=INK)
    draw.rectangle((left + 7, top + 7, left + width - 7, top + height - 7), outline=INK)
    door, hinge = rng.randint(38, 62), left + rng.randint(20, width - 90)
    draw.rectangle((hinge, top, hinge + door, top + 7), fill=(253, 253, 250))
    draw.line((hinge, top + 7, hinge, top + 7 + door), fill=INK)
    draw.arc((hinge - door, top + 7 - door, hinge + door, top + 7 + door), 0, 90, fill=INK)
    level = top + height - 20
    draw.line((left + 12, level, left + width - 12, level), fill=(90, 90, 150))
    for end in (left + 12, left + width - 12):
        draw.line((end - 4, level + 4, end + 4, level - 4), fill=(90, 90, 150))
    measure = f"{rng.uniform(2, 9):.3f}"
    _write(draw, (left + width // 2, level - 8), measure, 11, (90, 90, 150))


def _symbol(draw: ImageDraw.ImageDraw, rng: random.Random, at: At, number: int) -> None:
    x, y = at
    wide, high = rng.randint(14, 28), rng.randint(10, 24)
    kind = rng.randrange(5)
    if kind == 0:  # a socket
        draw.arc((x - wide, y - wide, x + wide, y + wide), 180, 360, fill=INK, width=2)
        for shift in range(rng.randint(1, 4)):
            draw.line((x - 6 + 5 * shift, y - wide, x - 6 + 5 * shift, y - wide - high), fill=INK)
    elif kind == 1:  # a valve
        ends = [(x - wide, y - high), (x + wide, y + high), (x + wide, y - high)]
        draw.polygon([*ends, (x - wide, y + high)], outline=INK)
        draw.line((x, y, x, y - high - rng.randint(4, 12)), fill=INK)
    elif kind == 2:  # a sink
        draw.rounded_rectangle((x - wide, y - high, x + wide, y + high), 6, outline=INK)
        hole, across = x + rng.randint(-6, 6), rng.randint(3, 7)
        draw.ellipse((hole - across, y - across, hole + across, y + across), outline=INK)
    elif kind == 3:  # a column, hatched
        draw.rectangle((x - wide, y - high, x + wide, y + high), outline=INK)
        for shift in range(-wide, wide, rng.randint(4, 8)):
            draw.line((x + shift, y + high, x + min(shift + high, wide), y - high), fill=INK)
    else:  # a lamp
        draw.ellipse((x - high, y - high, x + high, y + high), outline=INK)
        for end in (-high, high):
            draw.line((x - high, y - end, x + high, y + end), fill=INK)
    letters = rng.choice("ABCDEFGHKLM")
    _write(draw, (x, y + high + rng.randint(12, 18)), f"{letters}{number}", 13, INK)


def _icon(rng: random.Random, side: int) -> Image.Image:
    """Return an icon of four letters, a number and a few shapes, drawn at its own size."""
    icon = Image.new("RGB", (side, side), GROUND)
    draw = ImageDraw.Draw(icon)
    draw.rounded_rectangle((0, 0, side - 1, side - 1), side // 8, fill=_colour(rng))
    for _ in range(4):
        x, y = rng.randint(side // 6, side * 4 // 5), rng.randint(side // 8, side * 3 // 5)
        reach = rng.randint(side // 14, side // 5)
        if rng.random() < 0.4:
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=_colour(rng))
        elif rng.random() < 0.5:
            box = (x - reach, y - reach // 2, x + reach, y + reach // 2)
            draw.rectangle(box, fill=_colour(rng))
        else:
            draw.regular_polygon((x, y, reach), 3, rng.randint(0, 119), fill=_colour(rng))
    name = "".join(rng.choices(string.ascii_uppercase, k=4))
    _write(draw, (side // 2, side * 4 // 5), name, side // 5, (255, 255, 255))
    number = str(rng.randint(10, 99))
    _write(draw, (side * 4 // 5, side // 5), number, side // 5, (10, 10, 10))
    return icon


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randint(0, 230), rng.randint(0, 230), rng.randint(0, 230)


def _write(
    draw: ImageDraw.ImageDraw, at: At, text: str, px: int, fill: tuple[int, int, int]
) -> None:
    draw.text(at, text, font=ImageFont.load_default(px), fill=fill, anchor="mm")
