"""Visual words: a sparse vector an image, beside the embeddings of its regions.

The engine keeps an inverted index of them and weighs rare words up (IDF).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.vectors.filters import Condition

VECTOR = "words"
"""The name of the sparse vector in either form of Qdrant."""
VOCABULARY = "__vocabulary"
"""Where a point says whose words these are: metadata, so that a filter reaches it."""


@dataclass(frozen=True)
class SparseVector:
    """Indices, ascending and without doubles, and as many weights."""

    indices: Sequence[int]
    weights: Sequence[float]


@dataclass(frozen=True)
class WordsPoint:
    """An image's words; `id` is a UUID, `vocabulary` names what the indices mean."""

    id: str
    image_id: str
    vocabulary: str
    vector: SparseVector
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return the payload of the point."""
        metadata = {**self.metadata, VOCABULARY: self.vocabulary}
        return {"image_id": self.image_id, "metadata": metadata}


@dataclass(frozen=True)
class WordsHit:
    """An image that shares words with a query; scores order one query's images, and no more."""

    image_id: str
    score: float


def of_vocabulary(vocabulary: str) -> Condition:
    """Return the condition that words are of a vocabulary."""
    return Condition(VOCABULARY, values=(vocabulary,))
