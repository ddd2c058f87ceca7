"""Fakes of the seams in `worker/models/base.py`. Each has a meaning that tests can predict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from common.errors import TextNotSupported
from common.geometry import Box
from worker.models.base import Detection, Embeddings
from worker.models.kinds import KIND_SHARE


class PixelEncoder:
    """Embeds an image as its own pixels, 8 x 8, centred and normalised.

    An identical crop scores 1, a negative of it -1.
    """

    id = "pixels-8x8"
    dim = 192
    kind_dim = 0
    has_text = False

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings, shape (N, 192), L2 norm 1."""
        rows = np.zeros((len(images), self.dim), np.float32)
        for row, image in zip(rows, images, strict=True):
            small = image.convert("RGB").resize((8, 8), Image.Resampling.BOX)
            # 127.5 is no pixel's value, so that no image has norm 0.
            row[:] = np.asarray(small, np.float32).ravel() - 127.5
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Raise TextNotSupported: pixels know no words."""
        raise TextNotSupported("The fake encoder has no text side")


class KindsEncoder(PixelEncoder):
    """Pixels, and behind them the mean colour: what has the same is of the same kind."""

    id = "pixels-8x8+colour"
    dim = PixelEncoder.dim + 3
    kind_dim = 3

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings, shape (N, 195), L2 norm 1."""
        things = PixelEncoder().encode_images(images)
        means = [np.asarray(image.convert("RGB"), np.float32).mean((0, 1)) for image in images]
        kinds = np.array(means, np.float32).reshape(-1, 3) - 127.5
        kinds /= np.maximum(np.linalg.norm(kinds, axis=1, keepdims=True), 1e-6)
        shares = np.sqrt(np.float32(1 - KIND_SHARE)), np.sqrt(np.float32(KIND_SHARE))
        return np.concatenate((things * shares[0], kinds * shares[1]), axis=1)


class FixedDetector:
    """Finds the detections it was given, in every image."""

    id = "fixed"
    side_px = 640

    def __init__(self, detections: Sequence[Detection] = ()) -> None:
        self._detections = sorted(detections, key=lambda found: -found.confidence)

    def detect(
        self, images: Sequence[Image.Image], *, confidence_threshold: float
    ) -> list[list[Detection]]:
        """Return, for each image, those at or above the threshold, most confident first."""
        found = [d for d in self._detections if d.confidence >= confidence_threshold]
        return [list(found) for _ in images]


class PixelMaps:
    """Embeds boxes of one image as `PixelEncoder` does, and finds what it was given."""

    def __init__(self, image: Image.Image, detections: Sequence[Detection]) -> None:
        self._image, self._detections = image, detections

    def detections(self, *, confidence_threshold: float) -> list[Detection]:
        """Return those at or above the threshold, most confident first."""
        return [d for d in self._detections if d.confidence >= confidence_threshold]

    def embeddings(self, boxes: Sequence[Box]) -> Embeddings:
        """Return float32 embeddings, shape (N, 192), L2 norm 1."""
        width, height = self._image.size
        crops = [self._image.crop(box.within(width, height).as_tuple()) for box in boxes]
        return PixelEncoder().encode_images(crops)


class DensePixelEncoder(PixelEncoder):
    """Sees a whole image once; notes the size of each and the pixels it was to be seen at."""

    id = "pixels-8x8-dense"

    def __init__(self, detections: Sequence[Detection] = ()) -> None:
        self._detections = sorted(detections, key=lambda found: -found.confidence)
        self.seen: list[tuple[tuple[int, int], int]] = []

    def maps(self, image: Image.Image, *, pixels: int) -> PixelMaps:
        """Return what can be embedded of the image."""
        self.seen.append((image.size, pixels))
        return PixelMaps(image, self._detections)
