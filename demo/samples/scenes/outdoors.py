"""Outdoors: a summer meadow and a winter garden, full of birds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from demo.samples.canvas import Pen, curve, rotated
from demo.samples.colour import RGB, darker, jittered, lighter, mix
from demo.samples.items import birds, nature
from demo.samples.light import relief, speckled
from demo.samples.scenes.stage import Cast, Item, Stage
from demo.samples.texture import child, fractal, two_tone


@dataclass(frozen=True)
class Season:
    """The colours of a landscape, and what lives in it."""

    sky: tuple[RGB, RGB]
    hills: RGB
    blades: tuple[RGB, RGB]
    bark: RGB
    flowers: int
    butterflies: int
    snow: bool = False


_SUMMER = Season(
    ((120, 178, 226), (244, 236, 206)),
    (112, 156, 110),
    ((26, 74, 30), (150, 190, 70)),
    (112, 82, 58),
    80,
    16,
)
_WINTER = Season(
    ((112, 128, 168), (250, 206, 182)),
    (120, 128, 156),
    ((104, 96, 84), (214, 196, 150)),
    (84, 66, 60),
    0,
    0,
    snow=True,
)
_FENCE_TOP = 1085


def meadow(stage: Stage) -> None:
    """Birds on branches and in high grass, flowers, butterflies; hills far behind."""
    _garden(stage, _SUMMER)


def winter(stage: Stage) -> None:
    """Birds on bare branches and on a snowy fence at dusk."""
    _garden(stage, _WINTER)


def _garden(stage: Stage, season: Season) -> None:
    _backdrop(stage, season)
    _flock(stage, birds.flying, 9, (0.02, 0.95), (40, 240), (80, 150), None)
    star = stage.draw_star(285, 285)
    for y, start, stop in ((330, -0.05, 0.62), (560, 0.38, 1.05), (780, -0.05, 0.75)):
        _branch(stage, season, y, start, stop)
    _fence(stage, season)
    _ground(stage, season)
    _grass(stage, season, (1180, 1470), 74, 3)
    _meadow_life(stage, season)
    if star is not None:
        x, y = stage.size[0] * 0.7, stage.px(_FENCE_TOP) - star.height + stage.px(8)
        stage.put(star, x, y, Cast(8, 6, 8, 0.35), star=True)
    _grass(stage, season, (1540, 1690), 165, 7)
    if season.snow:
        _snowfall(stage)


def _backdrop(stage: Stage, season: Season) -> None:
    """Sky, hills and trees out of focus, with discs of light."""
    small = (stage.size[0] // 4, stage.size[1] // 4)
    y = np.broadcast_to(np.linspace(0, 1.5, small[1], dtype=np.float32)[:, None], small[::-1])
    sky = two_tone(*season.sky, y + fractal(stage.rng, small, small[0] / 4, 4) * np.float32(0.35))
    draw = ImageDraw.Draw(sky)
    for depth in range(4):
        heights = (0.34 + depth * 0.1 + stage.rng.uniform(-0.05, 0.05, 8)) * small[1]
        ridge = curve(
            list(zip(np.linspace(-20, small[0] + 20, 8), heights, strict=True)), closed=False
        )
        shade = mix(mix(season.hills, season.sky[1], 0.6), darker(season.hills, 0.35), depth / 3)
        draw.polygon([*ridge, (small[0], small[1]), (0, small[1])], shade)
    sky = sky.filter(ImageFilter.GaussianBlur(small[0] / 90))
    glow = Image.new("RGBA", small)
    draw = ImageDraw.Draw(glow)
    for x, high, r in stage.rng.random((60, 3)):
        at, radius = (x * small[0], (0.3 + high * 0.45) * small[1]), (4 + r * 14) * stage.unit
        tone = lighter(jittered(stage.rng, season.blades[1], 0.2), 0.4)
        draw.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), (*tone, 70))
    sky.paste(glow, (0, 0), glow)
    stage.image.paste(sky.filter(ImageFilter.GaussianBlur(1.5)).resize(stage.size))


def _branch(stage: Stage, season: Season, y: int, start: float, stop: float) -> None:
    """A bough across the view with twigs and leaves, birds perched along it.

    ``y`` is in design pixels; ``start`` and ``stop`` are shares of the width.
    """
    band = (stage.size[0], stage.px(360))
    top = stage.px(y) - band[1] // 2
    knots = [
        (start + (stop - start) * t, 0.5 + float(stage.rng.normal(0, 0.05)))
        for t in np.linspace(0, 1, 6)
    ]
    line = curve(knots, closed=False)
    pen = Pen(band)
    for x, along in line[4::5]:
        reach = float(stage.rng.uniform(0.02, 0.05))
        twig = curve(
            [
                (x, along),
                (x + reach / 2, along - reach * 2),
                (x + reach, along + float(stage.rng.normal(0, 0.07))),
            ],
            closed=False,
        )
        pen.line(twig, darker(season.bark, 0.1), 0.022)
    for index, (one, two) in enumerate(pairwise(line)):
        taper = 0.1 - 0.06 * index / len(line)
        pen.line([one, two], jittered(stage.rng, season.bark, 0.04), taper)
    bough = speckled(stage.rng, relief(pen.done(), stage.px(9), 0.9), stage.px(20), 0.35)
    stage.put(bough, 0, top)
    places = [(x * band[0], top + along * band[1]) for x, along in line]
    if season.snow:
        _snow_on(stage, line, band, top)
    else:
        _leaves(stage, places)
    _perch(stage, places)


def _perch(stage: Stage, places: list[tuple[float, float]]) -> None:
    """Birds side by side along a bough, given as places in pixels."""
    xs, ys = [x for x, _ in places], [y for _, y in places]
    for share in np.linspace(0.04, 0.94, 7) + stage.rng.uniform(-0.02, 0.02, 7):
        x = xs[0] + (xs[-1] - xs[0]) * float(share)
        high = float(stage.rng.uniform(120, 190))
        picture = stage.draw(birds.bird, high, high)
        foot = float(np.interp(x + picture.width / 2, xs, ys))
        stage.put(picture, x, foot - picture.height + stage.px(2), Cast(5, 6, 6, 0.3))


def _leaves(stage: Stage, places: list[tuple[float, float]]) -> None:
    kinds = [stage.draw(nature.leaf, 44, 78) for _ in range(5)]
    for x, y in places:
        for _ in range(int(stage.rng.integers(0, 4))):
            one = rotated(kinds[int(stage.rng.integers(5))], float(stage.rng.uniform(30, 330)))
            dx, dy = stage.rng.normal((0, 6), (44, 34)) * stage.unit
            stage.put(one, x + dx - one.width / 2, y + dy - one.height / 2, Cast(3, 5, 4, 0.25))


def _snow_on(
    stage: Stage, line: list[tuple[float, float]], band: tuple[int, int], top: int
) -> None:
    pen = Pen(band)
    for x, y in line:
        lump = 0.035 + float(stage.rng.uniform(0, 0.03))
        pen.oval(x, y - 0.035, 0.014, lump, (248, 250, 255))
    stage.put(relief(pen.done(), stage.px(8), 0.5), 0, top)


def _fence(stage: Stage, season: Season) -> None:
    """Two rails and posts, birds in a row on the upper rail."""
    size = (stage.size[0], stage.px(560))
    pen = Pen(size)
    for x in np.linspace(0.04, 0.96, 7):
        pen.box(x, 0.0, x + 0.022, 1, jittered(stage.rng, season.bark, 0.1), 0.01)
    for y in (0.08, 0.34):
        pen.box(0, y, 1, y + 0.075, lighter(season.bark, 0.15), 0.02)
    if season.snow:
        for x in np.linspace(0, 1, 60):
            pen.oval(x, 0.08, 0.016, 0.02 + float(stage.rng.uniform(0, 0.012)), (246, 248, 255))
    wood = speckled(stage.rng, relief(pen.done(), stage.px(10), 0.8), stage.px(30), 0.4)
    stage.put(wood, 0, stage.px(_FENCE_TOP - 45), Cast(12, 18, 12, 0.35))
    for x in (0.03, 0.12, 0.2, 0.3, 0.39, 0.48, 0.57, 0.86, 0.93):
        high = float(stage.rng.uniform(150, 225))
        picture = stage.draw(birds.bird, high, high)
        stage.put(
            picture,
            x * stage.size[0],
            stage.px(_FENCE_TOP) - picture.height + stage.px(4),
            Cast(8, 6, 8, 0.35),
        )


def _flock(
    stage: Stage,
    item: Item,
    count: int,
    across: tuple[float, float],
    down: tuple[float, float],
    sizes: tuple[float, float],
    cast: Cast | None,
) -> None:
    """Things of growing size, each in its own column, at random heights (design pixels)."""
    for index, x in enumerate(stage.rng.permutation(np.linspace(*across, count))):
        wide = sizes[0] + (sizes[1] - sizes[0]) * index / max(count - 1, 1)
        picture = stage.draw(item, wide, wide * 0.85)
        y = stage.px(float(stage.rng.uniform(*down)))
        stage.put(picture, float(x) * stage.size[0], y, cast)


def _ground(stage: Stage, season: Season) -> None:
    """The soil under the grass, or snow, from the fence's foot to the lower edge."""
    top = stage.px(1150)
    size = (stage.size[0], stage.size[1] - top)
    tones = (
        ((176, 186, 212), (250, 250, 255))
        if season.snow
        else (darker(season.blades[0], 0.4), mix(*season.blades, 0.5))
    )
    y = np.linspace(0.2, 0.8, size[1], dtype=np.float32)[:, None]
    soil = two_tone(*tones, y + fractal(stage.rng, size, size[0] / 6, 4) * np.float32(0.6))
    edge = Image.new("L", size, 255)
    edge.paste(0, (0, 0, size[0], stage.px(16)))
    stage.image.paste(soil, (0, top), edge.filter(ImageFilter.GaussianBlur(stage.px(12))))


def _grass(stage: Stage, season: Season, rows: tuple[int, int], tall: float, width: float) -> None:
    """Blades between two heights (design pixels), the farther ones shorter and darker."""
    own = child(stage.rng)
    top = stage.px(rows[0] - tall * 1.6)
    pen = Pen((stage.size[0], stage.size[1] - top))
    count = 420 if season.snow else 3400
    high = stage.size[1] - top
    depth = np.sort(own.random(count))
    for share, x, lean, long, tone in zip(depth, *own.random((4, count)), strict=True):
        foot = (stage.px(rows[0] + (rows[1] - rows[0]) * float(share)) - top) / high
        reach = (0.4 + long) * (0.7 + 0.5 * share) * tall * stage.unit / high
        colour = jittered(own, mix(*season.blades, float(tone * 0.6 + share * 0.4)), 0.06)
        half = width * stage.unit / stage.size[0]
        bend = (float(lean) - 0.5) * 0.03
        pen.polygon(
            [
                (x - half, foot),
                (x + bend * 0.35 - half * 0.7, foot - reach * 0.6),
                (x + bend, foot - reach),
                (x + bend * 0.35 + half * 0.7, foot - reach * 0.6),
                (x + half, foot),
            ],
            colour,
        )
    stage.put(pen.done(), 0, top)


def _meadow_life(stage: Stage, season: Season) -> None:
    """Flowers that grow towards the viewer, birds between them, butterflies above."""
    for share in np.sort(stage.rng.random(season.flowers)):
        side = 34 + 88 * float(share)
        picture = stage.draw(nature.blossom, side, side * 0.85)
        x = float(stage.rng.random()) * stage.size[0]
        stage.put(picture, x, stage.px(1200 + 270 * float(share)), Cast(4, 10, 7, 0.4))
    _flock(stage, birds.bird, 11, (0.0, 0.93), (1190, 1350), (130, 190), Cast(10, 8, 8, 0.4))
    _flock(
        stage,
        nature.butterfly,
        season.butterflies,
        (0.02, 0.95),
        (930, 1330),
        (60, 120),
        Cast(6, 14, 9, 0.25),
    )


def _snowfall(stage: Stage) -> None:
    flakes = Image.new("RGBA", stage.size)
    draw = ImageDraw.Draw(flakes)
    for x, y, r in stage.rng.random((420, 3)):
        radius = (1 + 4 * r**3) * stage.unit
        at = x * stage.size[0], y * stage.size[1]
        draw.ellipse(
            (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), (255, 255, 255, 190)
        )
    stage.image.paste(flakes.filter(ImageFilter.GaussianBlur(stage.unit)), (0, 0), flakes)
