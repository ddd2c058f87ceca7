"""What a dense encoder does in the place of a detector."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from worker.models.base import DenseEncoder, Detection


class MapsDetector:
    """Finds objects in the maps of a dense encoder; a `Detector`."""

    def __init__(self, encoder: DenseEncoder, pixels: int) -> None:
        self.id = encoder.id
        self.side_px = math.isqrt(pixels)
        self._encoder = encoder
        self._pixels = pixels

    def detect(
        self, images: Sequence[Image.Image], *, confidence_threshold: float
    ) -> list[list[Detection]]:
        """Return each RGB image's detections at or above the threshold, most confident first."""
        every = (self._encoder.maps(image, pixels=self._pixels) for image in images)
        return [maps.detections(confidence_threshold=confidence_threshold) for maps in every]
