"""An encoder and a kind tower in one: embeddings whose last numbers say what kind a thing is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from worker.models.base import Embeddings, Encoder

KIND_SHARE = 0.2
"""Share of an embedding's squared length that its kind has.

It decides what an approximate index takes for near, not what a search compares: see
`query_vectors`.
"""


class ImageEncoder(Protocol):
    """What embeds images and has a name."""

    id: str
    dim: int

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images, shape (N, dim), each of L2 norm 1."""
        ...


class EncoderWithKinds:
    """Embeds with `things`, and behind that with `kinds`; an `Encoder`."""

    def __init__(self, things: Encoder, kinds: ImageEncoder) -> None:
        self.things, self.kinds = things, kinds
        self.id = f"{things.id}+kinds:{kinds.id}"
        self.dim = things.dim + kinds.dim
        self.kind_dim = kinds.dim
        self.has_text = things.has_text

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images, shape (N, dim), each of L2 norm 1."""
        own = self.things.encode_images(images) * np.float32(math.sqrt(1 - KIND_SHARE))
        kind = self.kinds.encode_images(images) * np.float32(math.sqrt(KIND_SHARE))
        return np.concatenate((own, kind), 1)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 embeddings, shape (N, dim), L2 norm 1; a text is of no kind.

        Raises TextNotSupported where `things` has no text side.
        """
        own = self.things.encode_texts(texts)
        return np.concatenate((own, np.zeros((len(own), self.kind_dim), np.float32)), 1)


class NoKinds:
    """In a kind tower's place: says nothing, at no cost."""

    id = "none"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return zeros (N, dim)."""
        return np.zeros((len(images), self.dim), np.float32)


def things_alone(encoder: Encoder) -> Encoder:
    """Return an encoder for what is compared as a thing only: faster, its embeddings have no kind.

    Their dot product with what `query_vectors` returns is the same.
    """
    if isinstance(encoder, EncoderWithKinds):
        return EncoderWithKinds(encoder.things, NoKinds(encoder.kind_dim))
    return encoder


def query_vectors(embeddings: Embeddings, kind_dim: int, same_kind: float = 0.0) -> Embeddings:
    """Return what the embeddings (N, dim) of a query are to be compared as, of any L2 norm.

    The dot product with an indexed embedding is then `1 - same_kind` times the cosine of what the
    things are, plus `same_kind` (0..1) times the cosine of their kinds, which are the last
    `kind_dim` numbers. Without any, the embeddings are returned as they are.
    """
    if not kind_dim:
        return embeddings
    parts = np.split(embeddings, [-kind_dim], axis=1)
    weighed = [
        weight * part / np.maximum((part**2).sum(1, keepdims=True), 1e-6)
        for weight, part in zip((1 - same_kind, same_kind), parts, strict=True)
    ]
    vectors: Embeddings = np.concatenate(weighed, 1).astype(np.float32)
    return vectors
