"""`python -m tests.scaling.worker index`: a worker whose networks are simulated.

An encoder that looks at 8 x 8 pixels stands in for them, and a device that is busy for
NEEDLE_TEST_DEVICE_MS for each crop: the thread waits, as it does for a GPU.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence

from PIL import Image

import worker.__main__ as entry
from common.settings import Settings
from tests.fakes import PixelEncoder
from worker.models import packs
from worker.models.base import Embeddings


class SimulatedEncoder(PixelEncoder):
    """Pixels, after a while; one batch at a time, as a device has it."""

    def __init__(self, crop_s: float) -> None:
        self._crop_s = crop_s
        self._device = threading.Lock()

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings, shape (N, 192), L2 norm 1."""
        with self._device:
            time.sleep(self._crop_s * len(images))
        return super().encode_images(images)


def load(settings: Settings, *, with_detector: bool = True) -> packs.LoadedPack:
    """Stand in for `packs.load_pack`."""
    crop_s = float(os.environ["NEEDLE_TEST_DEVICE_MS"]) / 1000
    return packs.LoadedPack("simulated", None, SimulatedEncoder(crop_s), "cpu", "float32")


if __name__ == "__main__":
    packs.load_pack = load  # the roles import it when they start
    sys.exit(entry.main())
