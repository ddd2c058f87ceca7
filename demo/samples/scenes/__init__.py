"""The scenes: what each shows, in what light, and which of its items is searched for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from demo.samples.items import birds, books, packs, prints, stickers, toys, vessels
from demo.samples.scenes import flat, home, outdoors, shops, street
from demo.samples.scenes.camera import Mood, photograph
from demo.samples.scenes.stage import Box, Item, Stage, Star
from demo.samples.texture import Size

_DAY = Mood()
_COLD = Mood((0.95, 1.0, 1.06), 0.2, (0.5, 0.0), 0.12)
_SUN = Mood((1.05, 1.0, 0.92), 0.26, (0.15, 0.05), 0.24, bloom=0.22)
_DUSK = Mood((1.03, 0.97, 1.02), 0.34, (0.8, 0.3), 0.2, bloom=0.22)
_LAMP = Mood((1.07, 1.0, 0.88), 0.32, (0.45, 0.25), 0.3)


@dataclass(frozen=True)
class Recipe:
    """How to make one kind of scene; ``star`` is the item searched for, if any."""

    name: str
    paint: Callable[[Stage], None]
    mood: Mood = _DAY
    star: Item | None = None


@dataclass(frozen=True)
class Scene:
    """A photo, where its star lies in it, and the star by itself (RGBA), if it has one."""

    photo: Image.Image
    box: Box | None
    star: Image.Image | None


RECIPES: tuple[Recipe, ...] = (
    Recipe("grocery", shops.grocery, _DAY, packs.box),
    Recipe("meadow", outdoors.meadow, _SUN, birds.bird),
    Recipe("street", street.street, _SUN, prints.poster),
    Recipe("bookshelf", home.bookshelf, _LAMP, books.cover),
    Recipe("toys", home.toy_shelf, _DAY, toys.robot),
    Recipe("album", flat.album, _LAMP, prints.stamp),
    Recipe("fridge", shops.fridge, _COLD, vessels.bottle),
    Recipe("stickers", flat.sticker_door, _DAY, stickers.sticker),
    Recipe("desk", flat.desk, _SUN),
    Recipe("market", shops.market, _SUN),
    Recipe("mugs", home.mug_shelf, _LAMP),
    Recipe("winter", outdoors.winter, _DUSK),
)


def make(number: int, seed: int, size: Size) -> Scene:
    """Scene ``number`` (the recipes repeat after the last, designed anew) of the seed.

    Only the first round has stars: a star is in one photo alone.
    """
    recipe = RECIPES[number % len(RECIPES)]
    star = None
    if recipe.star is not None and number < len(RECIPES):
        star = Star(recipe.star, np.random.default_rng([seed, number, 1]))
    rng = np.random.default_rng([seed, number, 0])
    stage = Stage(rng, size, star)
    recipe.paint(stage)
    photo, box = photograph(rng, stage.image, stage.star_box, recipe.mood)
    return Scene(photo, box, stage.star_picture)
