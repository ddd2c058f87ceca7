"""Which keypoints of a query and of an image look alike: the seam for another matcher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worker.local.features import LocalFeatures
from worker.local.keypoints import Keypoints
from worker.local.scales import Floats
from worker.local.vocabulary import Vocabulary

Indices = NDArray[np.intp]

RATIO = 0.85
"""A pair is nearer than this share of the distance to the nearest descriptor of other images."""
EACH = 4
"""Most pairs of one keypoint: an image may show the same thing so many times."""


@dataclass(frozen=True)
class Query:
    """What is searched for: keypoints, and how near a match of each must come, float32 (N,)."""

    keypoints: Keypoints
    reach: Floats
    mirrored: bool

    @classmethod
    def both(cls, features: LocalFeatures, vocabulary: Vocabulary) -> tuple[Query, Query]:
        """Return the query as it is and mirrored."""
        return cls._of(features, vocabulary, False), cls._of(features.mirrored(), vocabulary, True)

    @classmethod
    def _of(cls, features: LocalFeatures, vocabulary: Vocabulary, mirrored: bool) -> Query:
        keypoints = Keypoints.of(features, vocabulary)
        reach = RATIO**2 * vocabulary.nearest_background(keypoints.vectors)
        return cls(keypoints, reach, mirrored)


@dataclass(frozen=True)
class Pairs:
    """Keypoints that look alike, best first: indices into the query's and into the image's."""

    query: Indices
    image: Indices

    def __len__(self) -> int:
        return len(self.query)

    def where(self, kept: NDArray[np.bool_]) -> Pairs:
        """Return the pairs for which `kept`, bool (N,), is true."""
        return Pairs(self.query[kept], self.image[kept])


class Matcher(Protocol):
    """Pairs keypoints by what they look like; where they lie is judged afterwards."""

    def pairs(self, query: Query, image: Keypoints) -> Pairs:
        """Return the likely pairs, best first; a keypoint may be in several."""
        ...


@dataclass(frozen=True)
class NearestMatcher:
    """Pairs every keypoint with the nearest of the image that come within its reach.

    Lowe's ratio test compares with the second nearest of the same image, and so refuses whatever
    the image shows twice. Here the comparison is with a fixed sample of unrelated images.
    """

    most: int = 512

    def pairs(self, query: Query, image: Keypoints) -> Pairs:
        """See Matcher."""
        if not len(query.keypoints) or not len(image):
            return Pairs(np.zeros(0, np.intp), np.zeros(0, np.intp))
        q, p = query.keypoints.vectors, image.vectors
        # Half of what squared distances fall short of the reach, all in one product.
        limit, norm = ((q * q).sum(axis=1) - query.reach) / 2, (p * p).sum(axis=1) / 2
        left = np.hstack([q, np.ones((len(q), 1), np.float32), -limit[:, None]])
        right = np.hstack([p, -norm[:, None], np.ones((len(p), 1), np.float32)])
        margin = (left @ right.T).ravel()
        near = np.flatnonzero(margin > 0)
        rows, columns = np.divmod(near, len(p))
        nearness = margin[near] / np.maximum(query.reach[rows], 1e-6)
        order = np.lexsort((-nearness, rows))
        rows, columns, nearness = rows[order], columns[order], nearness[order]
        starts = np.flatnonzero(np.r_[True, np.diff(rows) != 0]) if len(rows) else rows
        place = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
        first = np.flatnonzero(place < EACH)
        best = first[np.argsort(-nearness[first], kind="stable")][: self.most]
        return Pairs(rows[best], columns[best])
