"""From an item to its pixels: the stored file or the URL, decoded upright, and a thumbnail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from common import pictures
from common.catalogue import Catalogue, ImageRecord
from common.errors import NotFound, Permanent
from common.ids import image_id
from common.images import ImageStore, image_key
from common.jobs import Item, ItemStatus
from common.metadata import edited, merged
from common.paths import cleaned, name_of
from worker.fetch import Fetcher
from worker.indexing.image import LoadedImage
from worker.indexing.noting import noted
from worker.indexing.options import IndexOptions


@dataclass(frozen=True)
class Found:
    """An item whose image is stored, and the record of it: there is something to load."""

    item: Item
    record: ImageRecord


@dataclass(frozen=True)
class Loader:
    """Loads items. Its methods run in threads: decoding releases the interpreter's lock."""

    images: ImageStore
    catalogue: Catalogue
    fetcher: Fetcher
    max_pixels: int

    def find(self, item: Item, options: IndexOptions, recipe: str) -> Found | Item:
        """Find an item's image, a URL's after storing it; else return the item as it has ended.

        It is indexed already, by the same recipe, or there is none. Raises transient errors only.
        """
        try:
            if item.image_id is None:
                record, warning = self._download(item.name, options)
                item = item.warned(warning)
            else:
                record = self.catalogue.get(options.collection, item.image_id)
            metadata = self._metadata(record, options)
        except Permanent as error:
            return item.failed(error)
        item = replace(item, image_id=record.image_id)
        if record.recipe == recipe and record.metadata == metadata:
            return item.ended(ItemStatus.UNCHANGED, record.image_id)
        return Found(item, replace(record, metadata=metadata, options=options.kept()))

    def _metadata(self, record: ImageRecord, options: IndexOptions) -> dict[str, Any]:
        """Return what the image will have: its own, what its file says, what the request says."""
        key = image_key(record.collection, record.image_id)
        of_file = noted(options.note, record, lambda: self.images.open(key))
        more = {**of_file, **(options.metadata or {})}
        return edited(merged(record.metadata, more), options.changes or {})

    def load(self, found: Found) -> LoadedImage | Item:
        """Decode what was found; return the item, failed, where that cannot be done."""
        record = found.record
        try:
            content = self.images.open(image_key(record.collection, record.image_id))
            picture = pictures.read(content, max_pixels=self.max_pixels)
        except Permanent as error:
            self._forget(record)
            return found.item.failed(error)
        pixels = picture.pixels
        item = found.item.warned(picture.warning)
        return LoadedImage(item, record, pixels, pictures.thumbnail(pixels))

    def _forget(self, record: ImageRecord) -> None:
        """Take back what ingest stored of an image that cannot be decoded and never was indexed."""
        if record.indexed_at is None:
            self.catalogue.remove(record.collection, record.image_id)
            self.images.delete(image_key(record.collection, record.image_id))

    def _download(self, url: str, options: IndexOptions) -> tuple[ImageRecord, str | None]:
        """Do for a URL what web does for a posted file: store the bytes and record the image.

        This is ingest, not indexing: it is all that is stored of an image before the commit. Return
        the record with a warning where the file has more pages: a URL is one item.
        """
        content = self.fetcher.fetch(url)
        header = pictures.inspect(content, max_pixels=self.max_pixels)
        name = image_id(content, options.collection)
        path = _path(url)
        record = ImageRecord(
            image_id=name,
            collection=options.collection,
            filename=name_of(path),
            media_type=header.media_type,
            width=header.width,
            height=header.height,
            bytes=len(content),
            metadata=options.metadata or {},
            paths=(path,),
        )
        self.images.put(image_key(options.collection, name), content)
        self.catalogue.add([record])
        kept = self.catalogue.find(options.collection, [name]).get(name)
        if kept is None:
            raise NotFound("The image was deleted while it was being indexed.")
        return kept, _left_out(pictures.count_pages(content))


def _path(url: str) -> str:
    """Return what an image is called that was downloaded: host and path, and no secrets."""
    parts = urlsplit(url)
    return cleaned(f"{parts.hostname or ''}/{unquote(parts.path)}")


def _left_out(pages: int) -> str | None:
    if pages == 1:
        return None
    return f"Only page 1 of {pages:,} was read: post the file itself, and each page is an image."
