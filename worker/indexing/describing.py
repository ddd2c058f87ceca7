"""Local features of an image: computed once at ingest; no search decodes images for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from worker.indexing.image import Features, LoadedImage
from worker.indexing.options import IndexOptions
from worker.indexing.profiles import PROFILES
from worker.local.features import MOST_ENLARGED, WORK_PIXELS, extract
from worker.local.keypoints import Keypoints
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Vocabulary
from worker.local.words import image_words

SMALL_PIXELS = 625_000
"""Pixels up to which images have as many keypoints as the job says; larger ones have more."""
MOST = 100_000
"""Keypoints of an image at most, 2.5 MB: with 2,500 of a small one, what 25 megapixels have."""
FEW = 1 / 3
"""An image with fewer of the keypoints that it may have is drawn, or plain: it is enlarged."""
MOST_TO_ENLARGE = 16_000_000
"""Pixels up to which that is done: the enlarged copy takes 4.5 bytes for each, 72 MB."""
_METHOD = "sift"


def has_local_features(recipe: str) -> bool:
    """Tell whether the images of a recipe were described, by this version or an earlier one."""
    return f"|{_METHOD}" in recipe


@dataclass(frozen=True)
class Describer:
    """Detects an image's local features and names their visual words."""

    vocabulary: Vocabulary

    def recipe(self, options: IndexOptions) -> str:
        """Name everything that decides an image's local features; empty where there are none."""
        if not options.local_features:
            return ""
        finest = PROFILES[options.profile].keypoints
        bound = f"/{finest.pixels}/{finest.share}" if finest else ""
        return f"{_METHOD}5/{self.vocabulary.id}/{options.local_features}{bound}"

    def described(self, image: LoadedImage, options: IndexOptions) -> LoadedImage:
        """Return the image with its features; unchanged where the job wants none.

        A large image has more, found at its own size: a thing of a hundred pixels must have some of
        its own. OpenCV and the kernels release the interpreter's lock, so that
        threads do this.
        """
        if not options.local_features:
            return image
        area = image.pixels.width * image.pixels.height
        pixels, share = max(WORK_PIXELS, area), 1.0
        if finest := PROFILES[options.profile].keypoints:
            area = pixels = min(area, finest.pixels)
            share = finest.share
        most = round(options.local_features * share * max(1.0, area / SMALL_PIXELS))
        features = extract(image.pixels, min(most, MOST), pixels)
        if not finest and len(features) < FEW * most and area <= MOST_TO_ENLARGE:
            # Lines of a pixel, and small letters, have theirs only where they are enlarged, as
            # queries are. There is room for both.
            finer = round(MOST_ENLARGED**2 * area)
            if finer > pixels:
                room = min(most, MOST) - len(features)
                features = features.joined(extract(image.pixels, room, finer))
        keypoints = StoredKeypoints.of(Keypoints.of(features, self.vocabulary), self.vocabulary)
        kept = Features(keypoints.to_bytes(self.vocabulary), image_words(keypoints))
        return replace(image, features=kept)
