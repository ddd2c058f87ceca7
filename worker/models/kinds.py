"""Embeddings whose last numbers say what kind a thing is, and how they are compared."""

from __future__ import annotations

import numpy as np

from worker.models.base import Embeddings

KIND_SHARE = 0.2
"""Share of an embedding's squared length that its kind has.

It decides what an approximate index takes for near, not what a search compares: see
`query_vectors`.
"""


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
