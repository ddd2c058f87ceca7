"""The results sheet: one image with a row for each query, beside the image it was found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from needle.draw import DOUBTFUL, FOUND, WHITE, Colour, Font, draw_box, font, outline
from needle.results import Box

WIDTH = 1600
_PAPER: Colour = (240, 242, 245)
_INK: Colour = (28, 32, 38)
_FAINT: Colour = (112, 120, 130)
_LINE: Colour = (222, 226, 231)
_MARGIN, _PAD, _GAP = 36, 24, 28
_SIDE = 300
"""Width of the columns beside the image: what was searched for, and what was found."""
_IMAGE_PX = (WIDTH - 2 * _MARGIN - 2 * _PAD - 2 * _SIDE - 2 * _GAP, 520)
_LINES = 3
_SMOOTH = 2
"""Rows are drawn this much larger and reduced, so that outlines and corners are smooth."""


@dataclass(frozen=True)
class Row:
    """A query and the image it was found in; without an image the row says so.

    `caption` stands under the query, `verdict` and `details` under what was found; a `sure` row
    is green, another amber. Images are upright RGB, the box is in pixels of `photo`.
    """

    title: str
    caption: str
    query: Image.Image
    photo: Image.Image | None
    box: Box | None
    label: str
    verdict: str
    details: Sequence[str]
    sure: bool = True


def results_sheet(rows: Sequence[Row], *, title: str, subtitle: str = "") -> Image.Image:
    """Return the sheet: WIDTH pixels wide, as high as its rows need."""
    cards = [_card(row) for row in rows]
    head = 118
    height = head + sum(card.height + _PAD for card in cards) + _MARGIN - _PAD
    sheet = Image.new("RGB", (WIDTH, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, 26), title, font=font(36), fill=_INK)
    pen.text((_MARGIN, 74), subtitle, font=font(20), fill=_FAINT)
    top = head
    for card in cards:
        sheet.paste(card, (_MARGIN, top))
        top += card.height + _PAD
    return sheet


def _card(row: Row) -> Image.Image:
    """Return a row, drawn large and reduced."""
    zoom = _SMOOTH
    image = _marked(row, zoom)
    inner = max(image.height // zoom if image else 0, _SIDE + 110)
    size = (WIDTH - 2 * _MARGIN, inner + 2 * _PAD)
    card = Image.new("RGB", (size[0] * zoom, size[1] * zoom), _PAPER)
    pen = ImageDraw.Draw(card)
    edge = (0, 0, card.width - 1, card.height - 1)
    pen.rounded_rectangle(edge, radius=16 * zoom, fill=WHITE, outline=_LINE, width=zoom)
    colour = FOUND if row.sure else DOUBTFUL
    left = _PAD
    _column(card, left, row.query, row.title, (row.caption,), _INK)
    left += _SIDE + _GAP
    if image:
        across = left * zoom + (_IMAGE_PX[0] * zoom - image.width) // 2
        card.paste(image, (across, (card.height - image.height) // 2))
    left += _IMAGE_PX[0] + _GAP
    _column(card, left, _closeup(row), row.verdict, row.details, colour)
    return card.resize(size, Image.Resampling.LANCZOS)


def _marked(row: Row, zoom: int) -> Image.Image | None:
    """Return the image, reduced to its place on the card, with the box drawn."""
    if row.photo is None:
        return None
    small = _fitted(row.photo, (_IMAGE_PX[0] * zoom, _IMAGE_PX[1] * zoom))
    if row.box is None:
        return small
    scale = small.width / row.photo.width
    x1, y1, x2, y2 = (round(corner * scale) for corner in row.box)
    colour = FOUND if row.sure else DOUBTFUL
    return draw_box(small, (x1, y1, x2, y2), row.label, colour=colour, unit_px=2.6 * zoom)


def _closeup(row: Row) -> Image.Image | None:
    """Return what the box holds, from full-resolution pixels."""
    if row.photo is None or row.box is None:
        return None
    return row.photo.crop(outline(row.box, row.photo.size, least_px=8))


def _column(
    card: Image.Image,
    left: int,
    image: Image.Image | None,
    title: str,
    lines: Sequence[str],
    colour: Colour,
) -> None:
    """Draw an image of at most _SIDE a side, and words under it."""
    zoom = _SMOOTH
    pen = ImageDraw.Draw(card)
    side = _SIDE * zoom
    top = (card.height - side - 110 * zoom) // 2
    field = (left * zoom, top, left * zoom + side, top + side)
    pen.rounded_rectangle(field, radius=10 * zoom, fill=_PAPER)
    if image:
        shown = _fitted(image, (side - 16 * zoom, side - 16 * zoom))
        offset = (field[0] + (side - shown.width) // 2, top + (side - shown.height) // 2)
        card.paste(shown, offset)
    pen.text((left * zoom, top + side + 10 * zoom), title, font=font(24 * zoom), fill=colour)
    letters = font(17 * zoom)
    rows = [row for line in lines for row in _wrapped(line, letters, side)]
    for number, row in enumerate(rows[:_LINES]):
        place = (left * zoom, top + side + (44 + 22 * number) * zoom)
        pen.text(place, row, font=letters, fill=_FAINT)


def _fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return an image scaled, up or down, to just fit into a size."""
    scale = min(size[0] / image.width, size[1] / image.height)
    target = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(target, Image.Resampling.LANCZOS)


def _wrapped(text: str, letters: Font, width_px: int) -> list[str]:
    """Return the text in lines that fit a width; a word that does not fit is cut.

    A path that does not fit is two lines: its folders, and the name of its file.
    """
    folders, slash, name = text.rpartition("/")
    if folders and letters.getlength(text) > width_px:
        return [_cut(folders + slash, letters, width_px), _cut(name, letters, width_px)]
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if letters.getlength(longer) <= width_px:
            lines[-1] = longer
            continue
        lines.append(_cut(word, letters, width_px))
    return [line for line in lines if line]


def _cut(text: str, letters: Font, width_px: int) -> str:
    """Return a text that fits a width, cut in its middle: an ending tells what a file is."""
    shown, kept = text, len(text)
    while letters.getlength(shown) > width_px and kept > 1:
        kept -= 1
        shown = f"{text[: kept // 2]}\N{HORIZONTAL ELLIPSIS}{text[-(kept - kept // 2) :]}"
    return shown
