"""Images that are opened to look at their verified places, decoded as small as these allow."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from PIL import Image

from common import pictures
from common.errors import NeedleError
from common.images import ImageStore, image_key
from worker.local.placement import Placement
from worker.searching.agreement import FRAME_PX, agreement
from worker.searching.verifying import Places

log = logging.getLogger(__name__)

JPEG = "image/jpeg"


@dataclass(frozen=True)
class Opened:
    """An image whose places are compared: its bytes, its size, how much smaller to decode it."""

    image_id: str
    places: Places
    content: bytes = field(repr=False)
    width: int
    height: int
    coarser: int
    max_pixels: int

    @property
    def pixels(self) -> int:
        """How many pixels are decoded."""
        return self.width * self.height // self.coarser**2

    def compared(self, queries: Sequence[Image.Image]) -> Places:
        """Return the places with the agreement of the query, RGB, that the image shows best there.

        None stays where nothing can be compared.
        """
        try:
            image = pictures.decode(self.content, max_pixels=self.max_pixels, coarser=self.coarser)
        except NeedleError as error:
            log.warning("%s is not compared: %s", self.image_id, error.message)
            return self.places
        ratios = np.array([image.width / self.width, image.height / self.height], np.float32)

        def seen(place: Placement) -> Placement:
            quad = np.array(place.whole or place.quad, np.float32) * ratios
            shown = [agreement(query, image, quad) for query in queries]
            best = max(filter(None, shown), key=lambda one: one.whole, default=None)
            if best is None:
                return replace(place, agreement=None)
            return replace(place, agreement=best.whole, part=best.part, part_agreement=best.of_part)

        return tuple(map(seen, self.places))


@dataclass(frozen=True)
class Opener:
    """Opens images of the store."""

    images: ImageStore
    max_pixels: int

    def open(self, collection: str, image_id: str, places: Places) -> Opened | None:
        """Return an image to look at its places, one at least; None where it cannot be read."""
        try:
            content = self.images.open(image_key(collection, image_id))
            header = pictures.inspect(content, max_pixels=self.max_pixels)
        except NeedleError as error:
            log.warning("%s is not compared: %s", image_id, error.message)
            return None
        coarser = _coarser(places) if header.media_type == JPEG else 1
        size = (header.width, header.height)
        return Opened(image_id, places, content, *size, coarser, self.max_pixels)


def _coarser(places: Places) -> int:
    """Return how many times smaller places may be decoded: the smallest fills the frame."""
    areas = [abs(cv2.contourArea(np.array(place.quad, np.float32))) for place in places]
    gain = math.sqrt(min(areas)) / FRAME_PX
    return 1 if gain < 2 else 2 if gain < 4 else 4
