"""Local features of an image: computed once at ingest, so that no search decodes the image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from worker.indexing.image import Features, LoadedImage
from worker.indexing.options import IndexOptions
from worker.local.features import WORK_PIXELS, extract
from worker.local.keypoints import Keypoints
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Vocabulary
from worker.local.words import image_words

MEGAPIXEL = 1_000_000
MOST = 100_000
"""Keypoints of an image at most, 2.5 MB: of over 40 megapixels, each has fewer."""


@dataclass(frozen=True)
class Describer:
    """Detects an image's local features and names their visual words."""

    vocabulary: Vocabulary

    def recipe(self, density: int) -> str:
        """Name everything that decides an image's local features; empty where there are none."""
        return f"sift3/{self.vocabulary.id}/{density}" if density else ""

    def described(self, image: LoadedImage, options: IndexOptions) -> LoadedImage:
        """Return the image with its features; unchanged where the job wants none.

        A large image has as many to each megapixel as a small one, found at its own size: a thing
        of a hundred pixels must have some of its own. OpenCV releases the interpreter's lock, so
        that threads do this.
        """
        density = options.local_features
        if not density:
            return image
        area = image.pixels.width * image.pixels.height
        most = min(round(density * max(1.0, area / MEGAPIXEL)), MOST)
        features = extract(image.pixels, most, max(WORK_PIXELS, area))
        keypoints = StoredKeypoints.of(Keypoints.of(features, self.vocabulary), self.vocabulary)
        kept = Features(keypoints.to_bytes(self.vocabulary), image_words(keypoints))
        return replace(image, features=kept)
