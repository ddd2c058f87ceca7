"""Local features of an image: computed once at ingest, so that no search decodes the image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from worker.indexing.image import Features, LoadedImage
from worker.indexing.options import IndexOptions
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.vocabulary import Vocabulary
from worker.local.words import image_words

_METHOD = "sift2"


def has_local_features(recipe: str) -> bool:
    """Tell whether the images of a recipe were described; of one of an earlier version as well."""
    return "|sift" in recipe


@dataclass(frozen=True)
class Describer:
    """Detects an image's local features and names their visual words."""

    vocabulary: Vocabulary

    def recipe(self, most: int) -> str:
        """Name everything that decides an image's local features; empty where there are none."""
        return f"{_METHOD}/{self.vocabulary.id}/{most}" if most else ""

    def described(self, image: LoadedImage, options: IndexOptions) -> LoadedImage:
        """Return the image with its features; unchanged where the job wants none.

        OpenCV releases the interpreter's lock, so that threads do this.
        """
        most = options.local_features
        if not most:
            return image
        keypoints = Keypoints.of(extract(image.pixels, most), self.vocabulary)
        content = keypoints.to_bytes(self.vocabulary)
        features = Features(content, image_words(keypoints, self.vocabulary))
        return replace(image, features=features)
