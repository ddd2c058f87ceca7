"""Is all there that an indexed image has? Its points, its words, and the files beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from common.catalogue import ImageRecord
from common.images import (
    ImageStore,
    image_folder,
    image_key,
    local_key,
    old_regions_key,
    regions_key,
    thumbnail_key,
)
from worker.indexing.describing import has_local_features
from worker.vectors.stores import VectorStore, WordStore


def files_there(images: ImageStore, record: ImageRecord) -> bool:
    """Tell whether an indexed image has its own file and those that were made of it."""
    collection, name = record.collection, record.image_id
    wanted = [image_key(collection, name), thumbnail_key(collection, name)]
    if has_local_features(record.recipe):
        wanted.append(local_key(collection, name))
    # One question for all: where the store is far, each takes its time.
    folder = image_folder(collection, name)
    there = {f"{folder}/{file}" for file in images.names(folder)}
    regions = {regions_key(collection, name), old_regions_key(collection, name)}
    return there.issuperset(wanted) and not there.isdisjoint(regions)


@dataclass(frozen=True)
class Presence:
    """Asks the stores that this process has open."""

    store: VectorStore
    words: WordStore

    def findable(self, collection: str, records: Iterable[ImageRecord]) -> set[str]:
        """Return the ids of those images whose points and words are there.

        One question to each store, about an image's first point: it is written first, and goes
        last. Raises StoreUnavailable.
        """
        described = {each.image_id: has_local_features(each.recipe) for each in records}
        with_points = self.store.holding(collection, list(described))
        with_words = self.words.holding(
            collection, [name for name, has_words in described.items() if has_words]
        )
        return {
            name
            for name, has_words in described.items()
            if name in with_points and (name in with_words or not has_words)
        }
