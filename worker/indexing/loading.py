"""From an item to its pixels: the stored file or the URL, decoded upright, and a thumbnail."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from common import pictures
from common.catalogue import Catalogue, ImageRecord
from common.errors import NotFound, Permanent
from common.ids import image_id
from common.images import ImageStore, image_key
from common.jobs import Item, ItemStatus
from worker.fetch import Fetcher
from worker.indexing.image import LoadedImage
from worker.indexing.options import IndexOptions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """What became of a batch's items: the images to be indexed, and the items that have ended.

    Those are indexed already, by the same recipe, or cannot be loaded.
    """

    images: list[LoadedImage]
    ended: list[Item]


@dataclass(frozen=True)
class Loader:
    """Loads items in threads: decoding releases the interpreter's lock."""

    images: ImageStore
    catalogue: Catalogue
    fetcher: Fetcher
    max_pixels: int
    threads: int = 4

    def load(self, items: Sequence[Item], options: IndexOptions, recipe: str) -> Loaded:
        """Load each item, in order. Raises transient errors only."""
        with ThreadPoolExecutor(self.threads) as pool:
            outcomes = list(pool.map(lambda item: self._load(item, options, recipe), items))
        ended = [outcome for outcome in outcomes if isinstance(outcome, Item)]
        for item in ended:
            if item.error is not None:
                log.info("%s: %s", item.name, item.error["message"])
        return Loaded([image for image in outcomes if isinstance(image, LoadedImage)], ended)

    def _load(self, item: Item, options: IndexOptions, recipe: str) -> LoadedImage | Item:
        try:
            if item.image_id is None:
                record = self._download(item.name, options)
            else:
                record = self.catalogue.get(options.collection, item.image_id)
            item = replace(item, image_id=record.image_id)
            metadata = record.metadata if options.metadata is None else options.metadata
            if record.recipe == recipe and record.metadata == metadata:
                return item.ended(ItemStatus.UNCHANGED, record.image_id)
            return self._decode(item, replace(record, metadata=metadata))
        except Permanent as error:
            return item.failed(error)

    def _decode(self, item: Item, record: ImageRecord) -> LoadedImage:
        try:
            content = self.images.open(image_key(record.collection, record.image_id))
            pixels = pictures.decode(content, max_pixels=self.max_pixels)
        except Permanent:
            self._forget(record)
            raise
        return LoadedImage(item, record, pixels, pictures.thumbnail(pixels))

    def _forget(self, record: ImageRecord) -> None:
        """Take back what ingest stored of an image that cannot be decoded and never was indexed."""
        if record.indexed_at is None:
            self.catalogue.remove(record.collection, record.image_id)
            self.images.delete(image_key(record.collection, record.image_id))

    def _download(self, url: str, options: IndexOptions) -> ImageRecord:
        """Do for a URL what web does for a posted file: store the bytes and record the image.

        This is ingest, not indexing: it is all that is stored of an image before the commit.
        """
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
        self.images.put(image_key(options.collection, name), content)
        self.catalogue.add([record])
        kept = self.catalogue.find(options.collection, [name]).get(name)
        if kept is None:
            raise NotFound("The image was deleted while it was being indexed.")
        return kept
