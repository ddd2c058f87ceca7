"""A street: a brick wall with posters over posters, signs, stickers and a pavement."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from demo.samples.canvas import rotated
from demo.samples.colour import darker, palette
from demo.samples.items import nature, prints, stickers
from demo.samples.scenes.stage import Cast, Stage
from demo.samples.texture import bricks, plaster

_PASTED = Cast(2, 4, 4, 0.5)
_HUNG = Cast(14, 20, 14, 0.6)


def street(stage: Stage) -> None:
    """The wall of posters; the star hangs by itself among them, over the others."""
    stage.image.paste(bricks(stage.rng, stage.size, (150, 78, 60), stage.px(44)))
    star = stage.draw_star(330, 460)
    for row, top in enumerate((250, 610, 960)):
        _row_of_posters(stage, top, row)
    _signs(stage)
    for _ in range(46):
        side = float(stage.rng.uniform(70, 130))
        picture = rotated(
            stage.draw(stickers.sticker, side, side), float(stage.rng.uniform(-30, 30))
        )
        x, y = stage.rng.random(2) * (stage.size[0], stage.px(1200)) + (0, stage.px(230))
        stage.put(picture, x, y, _PASTED)
    if star is not None:
        stage.put(star, stage.size[0] * 0.33, stage.px(520), _PASTED, star=True)
    _pipe(stage, round(stage.size[0] * 0.77))
    _pavement(stage)


def _row_of_posters(stage: Stage, top: int, row: int) -> None:
    """Pasted one over the next, none quite level."""
    left = -float(stage.rng.uniform(40, 160))
    while left * stage.unit < stage.size[0]:
        wide = float(stage.rng.uniform(230, 350))
        picture = stage.draw(prints.poster, wide, wide * 1.38)
        picture = rotated(picture, float(stage.rng.normal(0, 1.8)))
        y = stage.px(top + float(stage.rng.uniform(-40, 40)))
        stage.put(picture, left * stage.unit, y, _PASTED)
        left += wide * float(stage.rng.uniform(0.8, 1.15)) + 14 * row


def _signs(stage: Stage) -> None:
    """Enamel signs along the top, bolted on over a painted fascia."""
    ground = darker(palette(stage.rng).base, 0.35)
    fascia = plaster(stage.rng, (stage.size[0], stage.px(215)), ground, 0.3).convert("RGBA")
    stage.put(fascia, 0, 0, Cast(0, 14, 14, 0.7))
    left = stage.px(30)
    while left < stage.size[0]:
        wide = float(stage.rng.uniform(330, 520))
        sign = stage.draw(stickers.sign, wide, 158)
        stage.put(sign, left, stage.px(26), _HUNG)
        left += sign.width + stage.px(float(stage.rng.uniform(20, 60)))


def _pipe(stage: Stage, x: int) -> None:
    """A drain pipe with brackets, for depth."""
    size = (stage.px(40), stage.px(1250))
    shade = (0.35 + 0.9 * np.exp(-((np.linspace(-1, 1, size[0]) + 0.35) ** 2) * 3))[None, :, None]
    pixels = np.broadcast_to(np.asarray((92, 98, 96)) * shade, (size[1], size[0], 3))
    pipe = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert("RGBA")
    stage.put(pipe, x, stage.px(215), Cast(16, 6, 10, 0.6))
    bracket = Image.new("RGBA", (stage.px(62), stage.px(24)), (60, 64, 64, 255))
    for y in (330, 700, 1080):
        stage.put(bracket, x - stage.px(11), stage.px(y), Cast(4, 6, 5, 0.6))


def _pavement(stage: Stage) -> None:
    """Flagstones that widen towards the viewer, leaves, and the wall's shade on them."""
    top = stage.px(1440)
    size = (stage.size[0], stage.size[1] - top)
    stage.image.paste(plaster(stage.rng, size, (150, 146, 140), 0.25), (0, top))
    draw = ImageDraw.Draw(stage.image)
    for share in np.linspace(-0.5, 1.5, 15):
        x = stage.size[0] * share
        spread = (x - stage.size[0] / 2) * 0.35
        draw.line([(x, top), (x + spread, stage.size[1])], (96, 92, 88), stage.px(5))
    draw.line(
        [(0, top + size[1] * 0.45), (stage.size[0], top + size[1] * 0.45)],
        (96, 92, 88),
        stage.px(4),
    )
    shade = Image.new("L", size)
    shade.paste(190, (0, 0, size[0], stage.px(26)))
    shade = shade.filter(ImageFilter.GaussianBlur(stage.px(14)))
    stage.image.paste((16, 14, 18), (0, top), shade)
    for x, y in stage.rng.random((34, 2)):
        fallen = rotated(
            stage.draw(nature.leaf, 36 + 26 * y, 60 + 40 * y), float(stage.rng.uniform(0, 360))
        )
        stage.put(fallen, x * stage.size[0], top + y * size[1], Cast(3, 4, 3, 0.5))
