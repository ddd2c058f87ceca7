"""Grey of any depth: which levels become black and white.

Web reads pictures too and has no numpy: levels are taken from a sample.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from PIL import Image

from common.errors import InvalidImage

_SAMPLE_PX = 512
_CLIPPED = 0.005
"""Of the levels at either end, so many are clipped: a hot pixel would make the rest black."""
_LARGEST = 1e37
"""What lies beyond marks the absence of a level, as NaN does."""
_MARKED = 0.001
_GAP = 2.0
"""A level at the very end that so large a part of the picture has, this many times as far from the
next as all the others lie apart, stands for 'nothing was measured here' (-9999, 65535)."""
_NODATA = 42113  # the tag of TIFF files that names this level


def stretched(image: Image.Image) -> Image.Image:
    """Map 16- and 32-bit grey levels onto 0..255; Pillow would clip them to white.

    Raises InvalidImage where no level is a number.
    """
    grey = image.convert("F")
    low, high = _ends(_levels(grey, _nodata(image)))
    scale = 255.0 / (high - low) if high > low else 0.0
    return grey.point(lambda level: level * scale - low * scale).convert("L").convert("RGB")


def _levels(grey: Image.Image, nodata: float | None) -> Sequence[float]:
    """Return a sample of the levels that were measured, ascending."""
    size = (min(grey.width, _SAMPLE_PX), min(grey.height, _SAMPLE_PX))
    sample = grey if size == grey.size else grey.resize(size, Image.Resampling.NEAREST)
    levels = array("f", sample.tobytes())
    found = sorted(level for level in levels if abs(level) < _LARGEST and level != nodata)
    if not found:
        raise InvalidImage("The image holds no grey level that is a number.")
    return found


def _ends(levels: Sequence[float]) -> tuple[float, float]:
    """Return the levels that become black and white."""
    kept = _measured(levels)
    kept = [-level for level in reversed(_measured([-level for level in reversed(kept)]))]
    cut = math.floor(len(kept) * _CLIPPED)
    return kept[cut], kept[-1 - cut]


def _measured(levels: Sequence[float]) -> Sequence[float]:
    """Leave out the lowest level where it is a mark; `levels` ascend."""
    lowest = levels[0]
    count = next((n for n, level in enumerate(levels) if level != lowest), len(levels))
    rest = levels[count:]
    if not rest or count < _MARKED * len(levels):
        return levels
    apart = rest[-1 - math.floor(len(rest) * _CLIPPED)] - rest[0]
    return rest if rest[0] - lowest > _GAP * apart > 0 else levels


def _nodata(image: Image.Image) -> float | None:
    tags = getattr(image, "tag_v2", {})
    try:
        # As the levels are kept, in 32 bits.
        return array("f", [float(str(tags[_NODATA]).strip("\0 "))])[0]
    except (KeyError, ValueError, OverflowError):
        return None
