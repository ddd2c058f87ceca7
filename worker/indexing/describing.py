"""Local features of an image: computed once at ingest, so that no search decodes the image."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from worker.indexing.image import Features, LoadedImage
from worker.indexing.options import IndexOptions
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.vocabulary import Vocabulary
from worker.local.words import image_words


@dataclass(frozen=True)
class Describer:
    """Detects an image's local features and names their visual words."""

    vocabulary: Vocabulary
    threads: int = 2

    def recipe(self, most: int) -> str:
        """Name everything that decides an image's local features; empty where there are none."""
        return f"sift2/{self.vocabulary.id}/{most}" if most else ""

    def with_features(
        self, images: Sequence[LoadedImage], options: IndexOptions
    ) -> list[LoadedImage]:
        """Return the images with their features, in order; unchanged where the job wants none.

        OpenCV releases the interpreter's lock, so that threads do this.
        """
        most = options.local_features
        if not most:
            return list(images)
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda image: self._described(image, most), images))

    def _described(self, image: LoadedImage, most: int) -> LoadedImage:
        keypoints = Keypoints.of(extract(image.pixels, most), self.vocabulary)
        content = keypoints.to_bytes(self.vocabulary)
        features = Features(content, image_words(keypoints, self.vocabulary))
        return replace(image, features=features)
