"""Shelves in shops: groceries, and a drinks fridge."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from demo.samples.canvas import rotated
from demo.samples.colour import mix, palette
from demo.samples.items import nature, packs, stickers, vessels
from demo.samples.labels import label
from demo.samples.scenes.rack import Rack, Ware, fill
from demo.samples.scenes.stage import Cast, Stage
from demo.samples.texture import Size, noise, plaster, wood

_BOX = Ware(packs.box, 0.7, (0.72, 0.92), 3)
_CARTON = Ware(packs.carton, 0.46, (0.75, 0.9), 3)
_BAG = Ware(packs.bag, 0.72, (0.72, 0.92), 2)
_CAN = Ware(vessels.can, 0.74, (0.62, 0.76), 3)
_JAR = Ware(vessels.jar, 0.76, (0.6, 0.74), 3)
_BOTTLE = Ware(vessels.bottle, 0.35, (0.82, 0.95), 3)


def grocery(stage: Stage) -> None:
    """Four shelves of dry goods with price tags on steel boards."""
    stage.image.paste(plaster(stage.rng, stage.size, (150, 156, 158), 0.12))
    draw = ImageDraw.Draw(stage.image)
    for y in range(0, stage.size[1], stage.px(32)):
        for x in range(0, stage.size[0], stage.px(32)):
            draw.ellipse((x, y, x + stage.px(9), y + stage.px(9)), (92, 96, 100))
    rows = (
        (_BAG, _BOX, _CARTON),
        (_BOX, _BOX, _BOTTLE),
        (_CAN, _JAR, _BOTTLE, _CAN),
        (_BAG, _BOX, _CARTON),
    )
    fill(
        stage,
        Rack(
            rows,
            (196, 200, 204),
            40,
            wooden=False,
            priced=True,
            star_row=1,
            star_at=0.56,
            star_shape=0.7,
            star_height=0.92,
        ),
    )


def fridge(stage: Stage) -> None:
    """A lit fridge: bottles, cans and cartons on glass, cold haze, drops on the door."""
    y = np.linspace(0, 1, stage.size[1], dtype=np.float32)[:, None, None]
    cold = np.asarray((226, 240, 250), np.float32) * (1 - 0.35 * y)
    wall = np.broadcast_to(cold, (stage.size[1], stage.size[0], 3)).astype(np.uint8)
    stage.image.paste(Image.fromarray(np.ascontiguousarray(wall)))
    slim = Ware(vessels.can, 0.52, (0.6, 0.68), 4)
    tall = Ware(vessels.bottle, 0.34, (0.84, 0.96), 3)
    small = Ware(vessels.bottle, 0.42, (0.64, 0.78), 3)
    rows = ((tall, small), (slim, slim, small), (tall, small, tall), (_CARTON, slim, _JAR))
    fill(
        stage,
        Rack(
            rows,
            (178, 206, 220),
            24,
            wooden=False,
            gap=(3, 9),
            shade=0.28,
            star_row=2,
            star_at=0.3,
            star_shape=0.35,
            star_height=0.96,
        ),
    )
    haze = noise(stage.rng, stage.size, (stage.size[0] / 5, stage.size[1] / 3))
    mask = Image.fromarray((np.clip(haze - 0.45, 0, 1) * 80).astype(np.uint8))
    stage.image.paste((236, 246, 255), (0, 0), mask)


def _crate_label(rng: np.random.Generator, size: Size) -> Image.Image:
    return label(rng, size, palette(rng))


def market(stage: Stage) -> None:
    """A fruit stall seen from above: crates in rows that grow towards the viewer."""
    stage.image.paste(plaster(stage.rng, stage.size, (86, 70, 58), 0.3))
    tops = (0, 300, 675, 1115, 1600)
    kinds = [str(kind) for kind in stage.rng.permutation(list(nature.ROUND))]
    for row, (top, bottom) in enumerate(pairwise(tops)):
        columns = 6 - row // 2
        for column in range(columns):
            left, right = (stage.size[0] * (column + side) / columns for side in (0, 1))
            box = (round(left), stage.px(top), round(right), stage.px(bottom))
            _crate(stage, box, kinds[(row * 7 + column) % len(kinds)], 58 + row * 13)


def _crate(stage: Stage, box: tuple[int, int, int, int], kind: str, side: float) -> None:
    """A slatted crate heaped with one kind of fruit, a printed end and a price card."""
    left, top, right, bottom = box
    draw = ImageDraw.Draw(stage.image)
    draw.rounded_rectangle((left + 4, top + 4, right - 4, bottom), stage.px(10), (44, 30, 22))
    pictures = [nature.fruit(stage.rng, (stage.px(side), stage.px(side)), kind) for _ in range(4)]
    step = stage.px(side * 0.72)
    for layer, y in enumerate(range(top + stage.px(8), bottom - stage.px(110), round(step * 0.7))):
        shift = (layer % 2) * step // 2
        for x in range(left + stage.px(8) + shift, right - stage.px(side), step):
            jitter = stage.rng.uniform(-0.2, 0.2, 2) * step
            one = pictures[int(stage.rng.integers(4))].rotate(
                float(stage.rng.uniform(-40, 40)), Image.Resampling.BICUBIC
            )
            stage.put(one, x + jitter[0], y + jitter[1], Cast(3, 5, 5, 0.5))
        _foliage(stage, (left, y, right, y + step))
    _crate_front(stage, box)
    card = stage.draw(partial(stickers.price, name=kind.capitalize()), 130, 96)
    stage.put(
        rotated(card, 4), (left + right) / 2 - stage.px(60), top + stage.px(36), Cast(4, 8, 6, 0.5)
    )


def _foliage(stage: Stage, box: tuple[int, int, int, int]) -> None:
    """A leaf or two left on the fruit."""
    for x, y in stage.rng.random((2, 2)):
        green = rotated(stage.draw(nature.leaf, 34, 66), float(stage.rng.uniform(0, 360)))
        at = box[0] + x * (box[2] - box[0] - green.width), box[1] + y * (box[3] - box[1])
        stage.put(green, *at, Cast(3, 4, 3, 0.5))


def _crate_front(stage: Stage, box: tuple[int, int, int, int]) -> None:
    left, _, right, bottom = box
    tone = mix((206, 160, 104), (150, 104, 62), float(stage.rng.random()))
    for slat in range(2):
        size = (right - left - stage.px(12), stage.px(46))
        board = wood(stage.rng, size, tone).convert("RGBA")
        stage.put(board, left + stage.px(6), bottom - stage.px(104 - slat * 50), Cast(0, 5, 4, 0.6))
    if stage.rng.random() < 0.75:
        print_ = stage.draw(_crate_label, 220, 88)
        stage.put(
            print_, (left + right) / 2 - print_.width / 2, bottom - stage.px(98), Cast(1, 2, 2, 0.4)
        )
