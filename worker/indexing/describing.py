"""Local features at ingest: computed once a photo, kept compact, so that no query decodes it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image

from common.catalogue import ImageRecord
from common.images import ImageStore, local_key
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.vocabulary import Vocabulary, Words
from worker.local.words import photo_words


@dataclass(frozen=True)
class Describer:
    """Detects, keeps and names a photo's local features."""

    vocabulary: Vocabulary
    images: ImageStore
    threads: int = 2

    def recipe(self, most: int) -> str:
        """Name everything that decides a photo's local features."""
        return f"sift/{self.vocabulary.id}/{most}" if most else ""

    def describe(
        self, photos: Sequence[tuple[ImageRecord, Image.Image]], most: int
    ) -> list[Words | None]:
        """Store each photo's keypoints, at most `most`; return its words, None where `most` is 0.

        OpenCV releases the interpreter's lock. Raises StoreUnavailable.
        """
        if not most:
            return [None for _ in photos]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda photo: self._describe(photo[0], photo[1], most), photos))

    def _describe(self, record: ImageRecord, image: Image.Image, most: int) -> Words:
        keypoints = Keypoints.of(extract(image, most), self.vocabulary)
        key = local_key(record.collection, record.image_id)
        self.images.put(key, keypoints.to_bytes(self.vocabulary))
        return photo_words(keypoints, self.vocabulary)
