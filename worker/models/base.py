"""The seams behind which detectors and encoders stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common.geometry import Box

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class Detection:
    """One detected object: corners in pixels of the image, label, confidence 0..1."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: str
    confidence: float


class Detector(Protocol):
    """Finds objects."""

    id: str
    """Names the weights: equal ids give equal detections."""
    side_px: int
    """The side of the square that an image is scaled into: what gets lost there is not found."""

    def detect(
        self, images: Sequence[Image.Image], *, confidence_threshold: float
    ) -> list[list[Detection]]:
        """Return each RGB image's detections at or above the threshold, most confident first."""
        ...


class Encoder(Protocol):
    """Embeds images, and texts where `has_text`, into one space."""

    id: str
    """Names the weights and preprocessing: only embeddings of equal ids may be compared."""
    dim: int
    kind_dim: int
    """How many of an embedding's last numbers say what kind of thing is shown, apart from the rest.

    0 where nothing tells them apart.
    """
    has_text: bool

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images, shape (N, dim), each of L2 norm 1."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 embeddings, shape (N, dim), each of L2 norm 1.

        Raises TextNotSupported where the encoder has no text side.
        """
        ...


@runtime_checkable
class BoxEncoder(Encoder, Protocol):
    """Encodes crops, and cuts them out of whole images itself, where it runs."""

    def encode_boxes(self, boxes: Sequence[tuple[Image.Image, Box]]) -> Embeddings:
        """Return what `encode_images` does of the pixels in boxes of RGB images.

        It costs least where boxes of one image stand beside each other.
        """
        ...


class FeatureMaps(Protocol):
    """What a dense encoder saw of one image in one pass."""

    def detections(self, *, confidence_threshold: float) -> list[Detection]:
        """Return what is at or above the threshold, most confident first.

        Corners are in pixels of the image and within it.
        """
        ...

    def embeddings(self, boxes: Sequence[Box]) -> Embeddings:
        """Return float32 embeddings of boxes of the image, shape (N, dim), each of L2 norm 1."""
        ...


@runtime_checkable
class DenseEncoder(Encoder, Protocol):
    """Sees a whole image once; any box of it can be embedded after that.

    It finds things as well: no detector stands beside it, and its id names what finds them.
    """

    def maps(self, image: Image.Image, *, pixels: int) -> FeatureMaps:
        """Return what is seen of an RGB image; the finest scale has at most so many `pixels`."""
        ...
