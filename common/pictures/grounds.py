"""What stands behind a picture that is partly transparent: a ground that it stands out from."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops

from common.errors import InvalidImage

_STRIP_PX = 256
_SAMPLE_PX = 256
_VISIBLE = 8
"""Of 255, what is less opaque belongs to the transparent margin."""
_SOLID = 128
_APART = 96
"""Of 255, levels that lie so far apart stand out from each other."""
_ALMOST_ALL = 0.95
_BLANK = 3
"""Of 255, levels that lie no further apart are one colour: a JPEG is never quite even."""
WHITE, BLACK = "white", "black"


def grounded(image: Image.Image) -> tuple[Image.Image, ...]:
    """Return a query as upright RGB, without its transparent margin.

    One that is partly transparent is laid on a ground that it stands out from; on white and on
    black where that is unclear, so that both are searched for. Raises InvalidImage for one of which
    nothing is visible.
    """
    if not image.has_transparency_data:
        return (image.convert("RGB"),)
    clear = image.convert("RGBA")
    alpha = clear.getchannel("A")
    visible = alpha.point(lambda level: 255 * (level >= _VISIBLE)).getbbox()
    if visible is None:
        raise InvalidImage("The query is blank: all of it is transparent.")
    clear = clear.crop(visible)
    lowest, _ = clear.getchannel("A").getextrema()
    grounds = (WHITE,) if lowest == 255 else _grounds(clear)
    return tuple(laid(clear, ground) for ground in grounds)


def is_blank(image: Image.Image) -> bool:
    """Tell whether an RGB picture is of one colour alone: there is nothing in it to be found."""
    return all(high - low <= _BLANK for low, high in _extrema(image))


def ground_of(image: Image.Image) -> str:
    """Return the ground of an indexed picture: white, unless only black makes it visible."""
    size = (min(image.width, _SAMPLE_PX), min(image.height, _SAMPLE_PX))
    sample = image.resize(size, Image.Resampling.NEAREST).convert("RGBA")
    return BLACK if _grounds(sample) == (BLACK,) else WHITE


def laid(image: Image.Image, ground: str) -> Image.Image:
    """Lay a picture on a ground, by strips: whole, a large one would take its size five times."""
    canvas = Image.new("RGB", image.size)
    for top in range(0, image.height, _STRIP_PX):
        box = (0, top, image.width, min(top + _STRIP_PX, image.height))
        strip = image.crop(box).convert("RGBA")
        behind = Image.new("RGBA", strip.size, ground)
        canvas.paste(Image.alpha_composite(behind, strip).convert("RGB"), box)
    return canvas


def _grounds(image: Image.Image) -> Sequence[str]:
    """Return the grounds that an RGBA picture stands out from; both where that is unclear."""
    solid = image.getchannel("A").point(lambda level: 255 * (level >= _SOLID))
    counts = image.convert("RGB").convert("L").histogram(solid)
    enough = _ALMOST_ALL * sum(counts)
    on_white = sum(counts[: 256 - _APART]) >= enough
    on_black = sum(counts[_APART:]) >= enough
    if on_white is on_black:
        return (WHITE, BLACK)
    return (WHITE,) if on_white else (BLACK,)


def _extrema(image: Image.Image) -> Sequence[tuple[int, int]]:
    found = ImageChops.duplicate(image).getextrema()
    return found  # type: ignore[return-value]  # of bands, each a pair
