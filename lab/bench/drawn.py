"""Photos that are drawn: as hard to decode, and with as many keypoints, as those of a camera."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw


def drawn_photo(seed: int, width: int, height: int) -> Image.Image:
    """Return an RGB picture of soft noise with some hundred shapes on it."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height))
    for cell in (64, 16, 4):
        rows, columns = max(2, height // cell), max(2, width // cell)
        noise = Image.fromarray(rng.integers(0, 256, (rows, columns, 3), np.uint8))
        image = Image.blend(image, noise.resize((width, height), Image.Resampling.BICUBIC), 0.4)
    draw = ImageDraw.Draw(image)
    for _ in range(150):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        side = int(rng.integers(6, max(8, min(width, height) // 6)))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + side, y + side), fill=colour)
    return image
