"""Pictures with texture, images or queries: local features can hold on to them."""

from __future__ import annotations

import numpy as np
from PIL import Image


def texture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return random blots of many sizes, width x height `size` pixels; a seed, a picture."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3))
    for cells in (10, 20, 40):
        blocks = rng.integers(0, 256, (cells * size[1] // size[0], cells, 3), dtype=np.uint8)
        layer = Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float64)
    return Image.fromarray((total / 3).astype(np.uint8))
