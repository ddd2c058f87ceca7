"""Flat lays, seen from straight above: a desk, a stickered door, a stamp album."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from demo.samples.canvas import over, rotated
from demo.samples.colour import lighter, palette
from demo.samples.items import books, mugs, nature, prints, stationery, stickers
from demo.samples.scenes.stage import Cast, Item, Stage
from demo.samples.texture import paper, planks, plaster

_LAID = Cast(10, 14, 12, 0.5)
_STUCK = Cast(2, 3, 3, 0.45)


def desk(stage: Stage) -> None:
    """A wooden desk with papers under, and small things over them; a window's light."""
    stage.image.paste(planks(stage.rng, stage.size, (176, 126, 82), 7))
    under: tuple[tuple[Item, float, float], ...] = (
        (prints.postcard, 400, 280),
        (stationery.notebook, 320, 430),
        (prints.snapshot, 260, 320),
        (books.cover, 300, 430),
        (prints.poster, 360, 500),
        (prints.postcard, 340, 240),
    )
    small: tuple[tuple[Item, float, float], ...] = (
        (prints.stamp, 110, 140),
        (stickers.badge, 130, 130),
        (stationery.pencil, 420, 26),
        (stationery.ruler, 520, 60),
        (stationery.tape, 130, 130),
        (stationery.key, 190, 76),
        (prints.ticket, 240, 110),
        (stickers.sticker, 150, 150),
        (nature.leaf, 100, 170),
        (stationery.pencil, 380, 24),
        (mugs.coffee, 250, 250),
        (nature.blossom, 110, 110),
    )
    _scatter(stage, under, 30, 210, 14)
    _scatter(stage, small, 74, 110, 180)
    _window_light(stage)


def _scatter(
    stage: Stage,
    kinds: tuple[tuple[Item, float, float], ...],
    count: int,
    apart: float,
    turn: float,
    cast: Cast = _LAID,
) -> None:
    """Lay ``count`` things, kind after kind, each where there is most room left."""
    centres = np.empty((0, 2))
    for index in range(count):
        item, wide, high = kinds[index % len(kinds)]
        picture = stage.draw(item, wide, high)
        picture = rotated(picture, float(stage.rng.uniform(-turn, turn)))
        tries = stage.rng.uniform((-0.02, -0.02), (1.02, 1.02), (14, 2)) * stage.size
        if len(centres):
            away = np.linalg.norm(tries[:, None] - centres[None], axis=2).min(axis=1)
            best = tries[int(np.argmax(np.minimum(away, apart * 3 * stage.unit)))]
        else:
            best = tries[0]
        centres = np.vstack([centres, best])
        stage.put(picture, best[0] - picture.width / 2, best[1] - picture.height / 2, cast)


def _window_light(stage: Stage) -> None:
    """Slanting bars of sun with the soft shadow of a window's frame."""
    small = (stage.size[0] // 8, stage.size[1] // 8)
    mask = Image.new("L", small, 88)
    draw = ImageDraw.Draw(mask)
    wide, high = small
    for pane in range(3):
        left = wide * (0.02 + pane * 0.3)
        draw.polygon(
            [
                (left, 0),
                (left + wide * 0.25, 0),
                (left + wide * 0.43, high),
                (left + wide * 0.18, high),
            ],
            0,
        )
    draw.line([(0, high * 0.45), (wide, high * 0.56)], 88, max(2, high // 22))
    soft = mask.filter(ImageFilter.GaussianBlur(4)).resize(stage.size)
    stage.image.paste((30, 20, 40), (0, 0), soft)


def sticker_door(stage: Stage) -> None:
    """A workshop's steel door that generations have covered with stickers."""
    stage.image.paste(plaster(stage.rng, stage.size, (62, 84, 92), 0.3))
    star = stage.draw_star(240, 240)
    kinds: tuple[tuple[Item, float, float], ...] = (
        (stickers.sticker, 300, 300),
        (stickers.sticker, 240, 240),
        (stickers.badge, 200, 200),
        (stickers.sticker, 330, 320),
        (stickers.sign, 330, 160),
        (prints.ticket, 280, 130),
        (stickers.sticker, 180, 180),
        (prints.stamp, 150, 180),
    )
    _scatter(stage, kinds, 118, 150, 28, _STUCK)
    if star is not None:
        x, y = stage.size[0] * 0.6, stage.size[1] * 0.36
        stage.put(rotated(star, 6), x, y, _STUCK, star=True)
    _scratches(stage)


def _scratches(stage: Stage) -> None:
    layer = Image.new("RGBA", stage.size)
    draw = ImageDraw.Draw(layer)
    for x, y, along in stage.rng.random((90, 3)):
        start = (x * stage.size[0], y * stage.size[1])
        end = (start[0] + (along - 0.5) * stage.px(300), start[1] + (along - 0.3) * stage.px(90))
        draw.line([start, end], (235, 235, 235, 40), 1)
    over(stage.image, layer, (0, 0))


def album(stage: Stage) -> None:
    """An open stamp album on a table: two dark pages, stamps in rows, a few lying loose."""
    stage.image.paste(planks(stage.rng, stage.size, (120, 78, 50), 6))
    star = stage.draw_star(124, 160)
    for side in (0, 1):
        left = stage.size[0] * (0.035 + side * 0.467)
        _page(stage, round(left), star if side else None)
    fold = Image.new("L", (stage.px(120), stage.size[1]))
    fold.paste(150, (stage.px(50), stage.px(50), stage.px(70), stage.size[1] - stage.px(50)))
    fold = fold.filter(ImageFilter.GaussianBlur(stage.px(18)))
    stage.image.paste((10, 8, 10), (stage.size[0] // 2 - stage.px(60), 0), fold)
    for corner in ((0.005, 0.02), (0.005, 0.86), (0.93, 0.03), (0.94, 0.87), (0.46, 0.93)):
        picture = rotated(stage.draw(prints.stamp, 120, 150), float(stage.rng.uniform(-40, 40)))
        stage.put(picture, corner[0] * stage.size[0], corner[1] * stage.size[1], _LAID)


def _page(stage: Stage, left: int, star: Image.Image | None) -> None:
    """One page: strips of stamps of mixed formats; the star stands in the third strip."""
    size = (round(stage.size[0] * 0.462), stage.size[1] - stage.px(110))
    tone = lighter(palette(stage.rng).dark, 0.1)
    sheet = paper(stage.rng, size, tone, 0.2).convert("RGBA")
    stage.put(sheet, left, stage.px(55), Cast(10, 14, 16, 0.6))
    for strip in range(6):
        foot = stage.px(55 + 236 * (strip + 1))
        x = left + stage.px(36)
        while x < left + size[0] - stage.px(150):
            shape = ((136, 176), (182, 140), (150, 150))[int(stage.rng.integers(3))]
            mine = star is not None and strip == 2 and x > left + size[0] * 0.45
            picture = star if mine and star else stage.draw(prints.stamp, *shape)
            if x + picture.width > left + size[0] - stage.px(20):
                break
            if not mine:
                picture = rotated(picture, float(stage.rng.normal(0, 1.6)))
            stage.put(picture, x, foot - picture.height, Cast(3, 4, 4, 0.6), star=mine)
            star = None if mine else star
            x += picture.width + stage.px(float(stage.rng.uniform(10, 26)))
        _film(stage, left + stage.px(24), foot, size[0] - stage.px(48))


def _film(stage: Stage, left: int, foot: int, wide: int) -> None:
    """The clear strip that holds a row: a glossy band at the stamps' feet."""
    band = Image.new("RGBA", (wide, stage.px(34)), (255, 255, 255, 26))
    ImageDraw.Draw(band).line([(0, 0), (wide, 0)], (255, 255, 255, 120), stage.px(2))
    over(stage.image, band, (left, foot - stage.px(24)))
