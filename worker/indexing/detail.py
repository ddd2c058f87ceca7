"""How much there is to see in each part of an image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from common.geometry import Box
from worker.boxes import corners

SIDE_PX = 512
"""The image's longer side while it is looked at: tiles are larger than what is lost."""


class Detail:
    """The mean strength of edges within any box of one image, each in constant time."""

    def __init__(self, image: Image.Image) -> None:
        """Look at an RGB image once, at a small size."""
        gain = min(1.0, SIDE_PX / max(image.size))
        self._gain = gain
        size = (max(1, round(image.width * gain)), max(1, round(image.height * gain)))
        factor = max(1, max(image.size) // SIDE_PX)
        small = image.reduce(factor) if factor > 1 else image
        grey = np.asarray(small.convert("L").resize(size, Image.Resampling.BOX), np.float32)
        across = cv2.Sobel(grey, cv2.CV_32F, 1, 0)
        down = cv2.Sobel(grey, cv2.CV_32F, 0, 1)
        self._sums = cv2.integral(np.minimum(cv2.magnitude(across, down), 255.0))

    def within(self, boxes: Sequence[Box]) -> list[float]:
        """Return each box's mean edge strength, 0..255: about 2 for a clear sky, 30 for a crowd."""
        height, width = (n - 1 for n in self._sums.shape)
        places = corners(boxes) * self._gain
        x1, y1 = np.floor(places[:, 0]).astype(int), np.floor(places[:, 1]).astype(int)
        x1, y1 = x1.clip(0, width - 1), y1.clip(0, height - 1)
        x2 = np.maximum(np.ceil(places[:, 2]).astype(int).clip(0, width), x1 + 1)
        y2 = np.maximum(np.ceil(places[:, 3]).astype(int).clip(0, height), y1 + 1)
        s = self._sums
        total = s[y2, x2] - s[y1, x2] - s[y2, x1] + s[y1, x1]
        means: list[float] = (total / ((x2 - x1) * (y2 - y1))).tolist()
        return means
