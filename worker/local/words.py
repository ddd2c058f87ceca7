"""Visual words: an image as the set of its words, a query as weights on words.

Both become sparse vectors of the vector engine, which weighs rare words up (IDF) and keeps the
inverted index; their product counts how many of the query's details an image has.
"""

from __future__ import annotations

import numpy as np

from worker.local.match import Query
from worker.local.scales import Floats
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Words
from worker.vectors.words import SparseVector

CELLS_A_QUERY = 4
"""Words that each of a query's descriptors may fall into, with less weight the farther."""
SOFTNESS = 0.1
"""The distance at which a word's weight has fallen to 0.6 of the nearest one's."""
BUSY = 0.25
"""An image of many words shares some with any query: its words weigh (their number)^-0.25."""


def image_words(keypoints: StoredKeypoints) -> Words:
    """Return the words of an image, int64, ascending and without doubles."""
    return np.unique(keypoints.words)


def weighted(words: Words) -> SparseVector:
    """Return an image's words as its sparse vector."""
    weight = float(max(len(words), 1) ** -BUSY)
    return SparseVector(words.tolist(), [weight] * len(words))


def query_words(query: Query) -> SparseVector:
    """Return the words near a query's descriptors; a word named twice keeps its larger weight."""
    (first, d_first), (second, d_second) = (
        (cells[:, :CELLS_A_QUERY], distances[:, :CELLS_A_QUERY]) for cells, distances in query.near
    )
    shape = (len(first), CELLS_A_QUERY**2)
    every = (first[:, :, None] * query.cells + second[:, None, :]).reshape(shape)
    distances = (d_first[:, :, None] + d_second[:, None, :]).reshape(shape)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :CELLS_A_QUERY]
    words = np.take_along_axis(every, nearest, 1).ravel()
    distances = np.take_along_axis(distances, nearest, 1)
    weights: Floats = np.exp(-(distances - distances[:, :1]) / (2 * SOFTNESS**2)).ravel()
    order = np.lexsort((-weights, words))
    named = order[np.flatnonzero(np.diff(words[order], prepend=-1))]
    return SparseVector(words[named].tolist(), weights[named].tolist())
