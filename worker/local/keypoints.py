"""Keypoints with shortened descriptors: what is compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from worker.local.features import LocalFeatures
from worker.local.scales import Floats
from worker.local.vocabulary import Vocabulary


@dataclass(frozen=True)
class Keypoints:
    """A picture's keypoints, strongest first; `vectors` float32 (N, 64), the rest as in
    `LocalFeatures`."""

    width: int
    height: int
    points: Floats
    sizes: Floats
    angles: Floats
    vectors: Floats = field(repr=False)

    def __len__(self) -> int:
        return len(self.points)

    def first(self, count: int) -> Keypoints:
        """Return the strongest of them."""
        return replace(
            self,
            points=self.points[:count],
            sizes=self.sizes[:count],
            angles=self.angles[:count],
            vectors=self.vectors[:count],
        )

    @classmethod
    def of(cls, features: LocalFeatures, vocabulary: Vocabulary) -> Keypoints:
        """Shorten the descriptors of a picture's features."""
        return cls(
            features.width,
            features.height,
            features.points,
            features.sizes,
            features.angles,
            vocabulary.shorten(features.descriptors),
        )
