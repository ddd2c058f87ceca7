"""Pictures as they are cut, shrunk and kept, and the memory that they are decoded in."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from common.geometry import Box


class Room:
    """Memory that pictures are decoded in: a picture waits until there is room for it.

    One that needs more than there is waits until it is alone.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def held(self, size_bytes: int) -> Iterator[None]:
        """Hold so many bytes."""
        size = min(size_bytes, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._held + size <= self._most)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()


def shrunk(image: Image.Image, most_pixels: int) -> Image.Image:
    """Return the picture with at most so many pixels, itself where it has no more."""
    gain = math.sqrt(most_pixels / (image.width * image.height))
    if gain >= 1:
        return image
    size = (max(1, int(image.width * gain)), max(1, int(image.height * gain)))
    return image.resize(size, reducing_gap=2.0)


def crop(image: Image.Image, box: Box) -> Image.Image:
    """Return the pixels inside `box`. Raises InvalidBox when it does not lie in the image."""
    return image.crop(box.within(*image.size).as_tuple())


def thumbnail(image: Image.Image, *, side_px: int = 320) -> bytes:
    """Return a JPEG whose longer side is at most `side_px` pixels."""
    gain = min(1.0, side_px / max(image.size))
    size = (max(1, round(image.width * gain)), max(1, round(image.height * gain)))
    # Whole factors are averaged, which is quick; the rest is little.
    how = Image.Resampling.HAMMING
    small = image if gain == 1 else image.resize(size, how, reducing_gap=1.0)
    return jpeg(small, quality=82)


def jpeg(image: Image.Image, *, quality: int = 90) -> bytes:
    """Return an RGB image as JPEG bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
