"""From an item to its pixels: the stored file or the URL, decoded upright."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from PIL import Image

from common import pictures
from common.catalogue import Catalogue, ImageRecord
from common.errors import NeedleError, NotFound, Permanent
from common.ids import image_id
from common.images import ImageStore, photo_key, thumbnail_key
from common.jobs import Item
from worker.fetch import Fetcher
from worker.indexing.options import IndexOptions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """An item whose photo is decoded: upright RGB pixels and the record of its file."""

    item: Item
    record: ImageRecord
    image: Image.Image


@dataclass(frozen=True)
class Unchanged:
    """An item whose photo is indexed already, with the same models and options."""

    item: Item
    image_id: str


@dataclass(frozen=True)
class Unloadable:
    """An item whose photo cannot be had, and why."""

    item: Item
    error: NeedleError


Outcome = Loaded | Unchanged | Unloadable


@dataclass(frozen=True)
class Loader:
    """Loads items in threads: decoding releases the interpreter's lock."""

    images: ImageStore
    catalogue: Catalogue
    fetcher: Fetcher
    max_pixels: int
    threads: int = 4

    def load(self, items: Sequence[Item], options: IndexOptions, recipe: str) -> list[Outcome]:
        """Return each item's outcome, in order. Raises transient errors only."""
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda item: self._load(item, options, recipe), items))

    def _load(self, item: Item, options: IndexOptions, recipe: str) -> Outcome:
        try:
            if item.image_id is None:
                record = self._download(item.name, options)
            else:
                record = self.catalogue.get(options.collection, item.image_id)
            item = replace(item, image_id=record.image_id)
            wanted = record.metadata if options.metadata is None else options.metadata
            if record.recipe == recipe and record.metadata == wanted:
                return Unchanged(item, record.image_id)
            return self._decode(item, replace(record, metadata=wanted))
        except Permanent as error:
            return Unloadable(item, error)

    def _decode(self, item: Item, record: ImageRecord) -> Loaded:
        try:
            content = self.images.open(photo_key(record.collection, record.image_id))
            image = pictures.decode(content, max_pixels=self.max_pixels)
        except Permanent:
            self._forget(record)
            raise
        key = thumbnail_key(record.collection, record.image_id)
        self.images.put(key, pictures.thumbnail(image))
        return Loaded(item, record, image)

    def _forget(self, record: ImageRecord) -> None:
        """A photo that cannot be decoded and never was indexed leaves nothing behind."""
        if record.indexed_at is None:
            self.catalogue.remove(record.collection, record.image_id)
            self.images.delete(photo_key(record.collection, record.image_id))

    def _download(self, url: str, options: IndexOptions) -> ImageRecord:
        content = self.fetcher.fetch(url)
        header = pictures.inspect(content, max_pixels=self.max_pixels)
        name = image_id(content, options.collection)
        record = ImageRecord(
            image_id=name,
            collection=options.collection,
            filename=url.rsplit("/", 1)[-1].split("?")[0] or url,
            media_type=header.media_type,
            width=header.width,
            height=header.height,
            bytes=len(content),
            metadata=options.metadata or {},
        )
        self.images.put(photo_key(options.collection, name), content)
        self.catalogue.add([record])
        found = self.catalogue.find(options.collection, [name]).get(name)
        if found is None:
            raise NotFound("The photo was deleted while it was being indexed.")
        return found
