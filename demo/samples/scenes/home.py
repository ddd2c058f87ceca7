"""Shelves at home: books, toys, mugs."""

from __future__ import annotations

from demo.samples.colour import palette
from demo.samples.items import books, mugs, packs, prints, toys, vessels
from demo.samples.pictures import confetti
from demo.samples.scenes.rack import Rack, Ware, fill
from demo.samples.scenes.stage import Stage
from demo.samples.texture import planks, wood

_SPINE = Ware(books.spine, 0.17, (0.68, 0.93), lean=-9)
_THIN = Ware(books.spine, 0.11, (0.6, 0.85), lean=-11)
_THICK = Ware(books.spine, 0.23, (0.74, 0.92))
_COVER = Ware(books.cover, 0.68, (0.66, 0.9))


def bookshelf(stage: Stage) -> None:
    """A dark oak bookcase: spines, some covers, a few keepsakes."""
    stage.image.paste(wood(stage.rng, stage.size, (84, 54, 36)))
    spines = (_SPINE,) * 7 + (_THIN,) * 4 + (_THICK,) * 3
    keepsakes = (
        Ware(toys.car, 1.6, (0.36, 0.42)),
        Ware(mugs.mug, 1.1, (0.36, 0.42)),
        Ware(prints.postcard, 1.4, (0.42, 0.5)),
    )
    rows = (
        (*spines, _COVER, keepsakes[0]),
        (*spines, _COVER, _COVER),
        (*spines, keepsakes[1]),
        (*spines, _COVER, keepsakes[2]),
    )
    fill(
        stage,
        Rack(
            rows,
            (128, 84, 52),
            40,
            doubled=False,
            gap=(0, 3),
            star_row=2,
            star_at=0.62,
            star_shape=0.68,
            star_height=0.92,
        ),
    )


def toy_shelf(stage: Stage) -> None:
    """A nursery's painted shelves before wallpaper."""
    side = stage.px(380)
    paper = confetti(stage.rng, (side, side), palette(stage.rng)).convert("RGB")
    for x in range(0, stage.size[0], side):
        for y in range(0, stage.size[1], side):
            stage.image.paste(paper, (x, y))
    robot, bear = Ware(toys.robot, 0.72, (0.74, 0.92)), Ware(toys.bear, 0.8, (0.66, 0.9))
    car, duck = Ware(toys.car, 1.5, (0.4, 0.5)), Ware(toys.duck, 1.0, (0.5, 0.66))
    rocket, tower = Ware(toys.rocket, 0.56, (0.8, 0.95)), Ware(toys.blocks, 1.0, (0.6, 0.78))
    beach, game = Ware(toys.beachball, 1.0, (0.46, 0.62)), Ware(packs.box, 0.9, (0.6, 0.8))
    rows = (
        (robot, bear, car, tower, beach),
        (duck, car, rocket, game, bear),
        (robot, tower, bear, beach, rocket),
        (car, duck, game, robot, beach),
        (bear, rocket, duck, tower, car),
    )
    fill(
        stage,
        Rack(
            rows,
            (240, 232, 214),
            36,
            doubled=False,
            gap=(2, 16),
            star_row=2,
            star_at=0.42,
            star_shape=0.72,
            star_height=0.86,
        ),
    )


def mug_shelf(stage: Stage) -> None:
    """A cafe's back wall: mugs, jars, coffee bags, a few framed cards."""
    stage.image.paste(planks(stage.rng, stage.size, (112, 150, 146), 14))
    mug = Ware(mugs.mug, 1.14, (0.58, 0.76), 2)
    jar, bag = Ware(vessels.jar, 0.76, (0.6, 0.8)), Ware(packs.bag, 0.72, (0.7, 0.9))
    card = Ware(prints.snapshot, 0.82, (0.6, 0.75))
    rows = (
        (mug, jar, mug, bag),
        (mug, mug, card),
        (mug, mug, jar),
        (mug, bag, mug, jar),
        (mug, mug, card, jar),
    )
    fill(stage, Rack(rows, (166, 118, 74), 32, doubled=False, gap=(2, 14)))
