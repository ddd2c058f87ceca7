"""What is missing of the images in the list, and what is there of images that are not in it.

Images come, change and go meanwhile. So what seems to be wrong is looked at a second time before
anybody hears of it: `still_damaged`, and the list is asked after the stores were read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from common.catalogue import Catalogue, ImageRecord
from common.contract.fields import ImagePart
from common.images import (
    ImageStore,
    at_once,
    collection_folder,
    image_folder,
    image_key,
    local_key,
    old_regions_key,
    regions_key,
    thumbnail_key,
)
from worker.indexing.describing import has_local_features
from worker.vectors.stores import VectorStore, WordStore

T = TypeVar("T")
MANY = 200
"""Images looked at together."""


@dataclass(frozen=True)
class Damage:
    """An image of the list, and what is missing of it."""

    record: ImageRecord
    missing: tuple[ImagePart, ...]


@dataclass
class Orphans:
    """What is there of images that are not in the list, and points that name no image."""

    found: dict[str, set[ImagePart]] = field(default_factory=lambda: defaultdict(set))
    strays: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Inspector:
    """Looks into the list, the files, and the stores that this process has open."""

    store: VectorStore
    words: WordStore
    images: ImageStore
    catalogue: Catalogue

    def damaged(self, collection: str, records: Sequence[ImageRecord]) -> list[Damage]:
        """Return those of the indexed images of which something is missing."""
        names = [record.image_id for record in records]
        points = self.store.counts(collection, names)
        words = self.words.holding(collection, names)
        found = []
        files = at_once(self.images, self._missing_files, records)
        for record, missing in zip(records, files, strict=True):
            if points[record.image_id] != record.regions:
                missing.append(ImagePart.POINTS)
            if has_local_features(record.recipe) and record.image_id not in words:
                missing.append(ImagePart.WORDS)
            if missing:
                found.append(Damage(record, tuple(missing)))
        return found

    def still_damaged(self, collection: str, seen: Sequence[Damage]) -> Iterator[Damage]:
        """Yield what is still damaged of what was: the rest was being written, or is deleted."""
        for some in batched(seen, MANY):
            names = [damage.record.image_id for damage in some]
            there = self.catalogue.find(collection, names).values()
            yield from self.damaged(collection, [r for r in there if r.indexed_at is not None])

    def orphans(self, collection: str, looked: Callable[[int], None]) -> Orphans:
        """Return what belongs to no image of the list; `looked` is told how many points it read."""
        orphans = Orphans()
        for part, owners in (
            (ImagePart.POINTS, self._owners(collection, orphans.strays, looked)),
            (ImagePart.WORDS, self.words.owners(collection)),
            (ImagePart.FILE, self._folders(collection)),
        ):
            for some in batched(owners, MANY):
                known = self.catalogue.find(collection, some)
                for image_id in some:
                    if image_id not in known:
                        orphans.found[image_id].add(part)
        return orphans

    def _missing_files(self, record: ImageRecord) -> list[ImagePart]:
        collection, name = record.collection, record.image_id
        keys = {
            ImagePart.THUMBNAIL: [thumbnail_key(collection, name)],
            ImagePart.REGIONS: [regions_key(collection, name), old_regions_key(collection, name)],
        }
        if has_local_features(record.recipe):
            keys[ImagePart.LOCAL_FEATURES] = [local_key(collection, name)]
        # One question for all: where the store is far, each takes its time.
        folder = image_folder(collection, name)
        sizes = {f"{folder}/{file}": n for file, n in self.images.sizes(folder).items()}
        missing = [part for part, any_of in keys.items() if not any(map(sizes.get, any_of))]
        if sizes.get(image_key(collection, name)) != record.bytes:
            missing.insert(0, ImagePart.FILE)
        return missing

    def _owners(
        self, collection: str, strays: list[str], looked: Callable[[int], None]
    ) -> Iterator[str]:
        for image_id, points in self.store.owners(collection):
            looked(len(points))
            if image_id is None:
                strays += points
            else:
                yield image_id

    def _folders(self, collection: str) -> Iterator[str]:
        home = collection_folder(collection)
        for shelf in self.images.names(home):
            yield from self.images.names(f"{home}/{shelf}")


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in lists of at most `size`."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
