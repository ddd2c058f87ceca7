"""Shelving: boards with rows of things standing on them, and the shadows between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from demo.samples.colour import RGB, darker, lighter
from demo.samples.items import stickers
from demo.samples.light import shaded
from demo.samples.scenes.stage import Cast, Item, Stage
from demo.samples.texture import wood


@dataclass(frozen=True)
class Ware:
    """A kind of thing on a shelf: its shape (width over height), its height over the row's,
    and up to how many of the same stand side by side."""

    item: Item
    shape: float
    height: tuple[float, float] = (0.7, 0.9)
    facings: int = 1
    lean: float = 0.0


@dataclass(frozen=True)
class Rack:
    """Shelving: the rows' wares from top to bottom, its look, and the star's row and place."""

    rows: tuple[tuple[Ware, ...], ...]
    board: RGB
    board_px: int = 34
    wooden: bool = True
    priced: bool = False
    doubled: bool = True
    gap: tuple[float, float] = (4, 14)
    shade: float = 0.42
    star_row: int = 1
    star_at: float = 0.5
    star_shape: float = 0.7
    star_height: float = 0.86


@dataclass(frozen=True)
class _Placed:
    picture: Image.Image
    left: int
    star: bool = False


def fill(stage: Stage, rack: Rack) -> None:
    """Build the shelving over the wall that is already there and fill every row."""
    bottoms = np.linspace(0, stage.size[1], len(rack.rows) + 1)[1:] - stage.px(10)
    top = 0
    for number, (wares, bottom) in enumerate(zip(rack.rows, bottoms, strict=True)):
        floor = int(bottom) - stage.px(rack.board_px)
        _recess(stage, top, floor, rack.shade)
        star_here = number == rack.star_row
        placed = _stock(stage, rack, wares, floor - top, star_here)
        _board(stage, rack, floor)
        _stand(stage, rack, placed, floor)
        if rack.priced:
            _price_tags(stage, placed, floor, rack.board_px)
        top = floor + stage.px(rack.board_px)


def _recess(stage: Stage, top: int, floor: int, shade: float) -> None:
    """Darken the wall under the board above, and into the corner with the board below."""
    high = max(2, floor - top)
    y = np.linspace(0, 1, high, dtype=np.float32)[:, None]
    field = (1 - shade * np.exp(-y * 7) - 0.25 * np.exp(-(1 - y) * 12)).astype(np.float32)
    wall = stage.image.crop((0, top, stage.size[0], floor)).convert("RGBA")
    dim = shaded(wall, np.broadcast_to(field, (high, stage.size[0])))
    stage.image.paste(dim.convert("RGB"), (0, top))


def _stock(
    stage: Stage, rack: Rack, wares: tuple[Ware, ...], high: int, star_here: bool
) -> list[_Placed]:
    """Draw a row's things from left to right; the star stands alone among them."""
    row: list[_Placed] = []
    room = high / stage.unit
    star = None
    if star_here:
        tall = room * rack.star_height
        star = stage.draw_star(tall * rack.star_shape, tall)
    left = -float(stage.rng.uniform(0, 60)) * stage.unit
    while left < stage.size[0]:
        ware = wares[int(stage.rng.integers(len(wares)))]
        tall = room * float(stage.rng.uniform(*ware.height))
        picture = stage.draw(ware.item, tall * ware.shape, tall)
        for _ in range(int(stage.rng.integers(1, ware.facings + 1))):
            turned = _leaning(stage, picture, ware.lean)
            row.append(_Placed(turned, round(left)))
            left += turned.width + float(stage.rng.uniform(*rack.gap)) * stage.unit
            if star is not None and left > stage.size[0] * rack.star_at:
                row.append(_Placed(star, round(left) + stage.px(14), star=True))
                left += star.width + stage.px(32)
                star = None
                break
    return row


def _leaning(stage: Stage, picture: Image.Image, lean: float) -> Image.Image:
    """On some shelves, a thing that leans against its neighbour."""
    if lean == 0 or stage.rng.random() > 0.12:
        return picture
    return picture.rotate(
        float(stage.rng.uniform(0.4, 1)) * lean, Image.Resampling.BICUBIC, expand=True
    )


def _board(stage: Stage, rack: Rack, floor: int) -> None:
    """A board: its top catches light, its front is grained or plain."""
    thick = stage.px(rack.board_px)
    size = (stage.size[0], thick + stage.px(10))
    front = wood(stage.rng, size, rack.board) if rack.wooden else Image.new("RGB", size, rack.board)
    stage.image.paste(front, (0, floor))
    draw = ImageDraw.Draw(stage.image)
    depth = stage.px(20)
    draw.rectangle((0, floor - depth, stage.size[0], floor), darker(rack.board, 0.28))
    draw.rectangle((0, floor, stage.size[0], floor + stage.px(3)), lighter(rack.board, 0.4))
    draw.rectangle(
        (0, floor + thick, stage.size[0], floor + thick + stage.px(12)), darker(rack.board, 0.72)
    )


def _stand(stage: Stage, rack: Rack, placed: list[_Placed], floor: int) -> None:
    """Stand the row on its board: a dim second row behind it, then the things themselves."""
    foot = floor - stage.px(6)
    if rack.doubled:
        for thing in placed:
            if not thing.star:
                back = shaded(thing.picture, np.full(thing.picture.size[::-1], 0.42, np.float32))
                stage.put(back, thing.left + stage.px(16), foot - back.height - stage.px(12))
    for thing in placed:
        picture = thing.picture if thing.star else stage.vary(thing.picture)
        y = foot - picture.height
        stage.put(picture, thing.left, y, Cast(9, 5, 9, 0.62), star=thing.star)


def _price_tags(stage: Stage, placed: list[_Placed], floor: int, board_px: int) -> None:
    last = -1000
    for thing in placed:
        if thing.left - last > stage.px(170):
            tag = stage.draw(stickers.price, board_px * 2.1, board_px * 1.25)
            stage.put(tag, thing.left + stage.px(20), floor + stage.px(2), Cast(2, 3, 3, 0.5))
            last = thing.left
