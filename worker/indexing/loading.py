"""From an item to its pixels: the stored file or the URL, decoded upright, and a thumbnail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from common import pictures
from common.catalogue import Catalogue, ImageRecord
from common.errors import Cancelled, Permanent
from common.ids import image_id
from common.images import ImageStore, image_folder, image_key
from common.job_store import JobStore
from common.jobs import Item, ItemStatus
from common.leftovers import take_back
from common.metadata import edited, merged
from common.paths import cleaned, name_of
from common.s3.sources import is_object, path_of
from worker.fetch import Fetcher
from worker.indexing.image import LoadedImage
from worker.indexing.noting import noted
from worker.indexing.options import IndexOptions
from worker.indexing.presence import files_there

_GIVEN_UP = "The job was cancelled while the image was downloaded."


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
    jobs: JobStore
    fetcher: Fetcher
    max_pixels: int

    def find(self, item: Item, options: IndexOptions, recipe: str) -> Found | Item:
        """Find an item's image, a URL's after storing it; else return the item as it has ended.

        It is indexed already, by the same recipe, as far as list and files tell, or there is none.
        Raises transient errors only.
        """
        try:
            if item.image_id is None:
                record, warning = self._download(item, options)
                item = item.warned(warning)
            else:
                record = self.catalogue.get(options.collection, item.image_id)
            metadata = self._metadata(record, options)
        except Permanent as error:
            return item.failed(error)
        item = replace(item, image_id=record.image_id)
        same = record.recipe == recipe and record.metadata == metadata
        if same and files_there(self.images, record):
            return item.ended(ItemStatus.UNCHANGED, record.image_id)
        return Found(item, replace(record, metadata=metadata, options=options.kept()))

    def _metadata(self, record: ImageRecord, options: IndexOptions) -> dict[str, Any]:
        """Return what the image will have: its own, what its file says, what the request says."""
        key = image_key(record.collection, record.image_id)
        of_file = noted(options.note, record, lambda: self.images.open(key))
        more = {**of_file, **(options.metadata or {})}
        return edited(merged(record.metadata, more), options.changes or {})

    def read(self, found: Found) -> bytes:
        """Return the bytes of what was found. Raises NotFound, or transient errors."""
        return self.images.open(image_key(found.record.collection, found.record.image_id))

    def load(self, found: Found, read: Callable[[], bytes]) -> LoadedImage | Item:
        """Decode what was found and is `read`; return the item, failed, where that cannot be."""
        record = found.record
        try:
            content = read()
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
            with self.images.changing(record.collection, [record.image_id]) as held:
                self.catalogue.remove(record.collection, record.image_id)
                held.check()
                self.images.delete_folder(image_folder(record.collection, record.image_id))

    def _download(self, item: Item, options: IndexOptions) -> tuple[ImageRecord, str | None]:
        """Do for a URL what web does for a posted file: store the bytes and record the image.

        This is ingest, not indexing: it is all that is stored of an image before the commit. The
        job takes down which image it is; one that has ended meanwhile leaves nothing of it. Return
        the record with a warning where the file has more pages: a URL is one item.
        """
        job_id, collection, url = options.job_id, options.collection, item.name
        content = self.fetcher.fetch(url, wanted=lambda: self.jobs.is_open(job_id))
        header = pictures.inspect(content, max_pixels=self.max_pixels)
        name = image_id(content, collection)
        path = _path(url)
        record = ImageRecord(
            image_id=name,
            collection=collection,
            filename=name_of(path),
            media_type=header.media_type,
            width=header.width,
            height=header.height,
            bytes=len(content),
            metadata=options.metadata or {},
            paths=(path,),
        )
        with self.images.changing(collection, [name]) as held:
            if not self.jobs.is_open(job_id):
                raise Cancelled(_GIVEN_UP)
            self.catalogue.claim(record, job_id)
            if not self.images.exists(image_key(collection, name)):
                held.check()
                self.images.put(image_key(collection, name), content)
        if not self.jobs.note_item(job_id, replace(item, image_id=name)):
            take_back(self.images, self.catalogue, collection, [name], job_id)
            raise Cancelled(_GIVEN_UP)
        return self.catalogue.get(collection, name), _left_out(pictures.count_pages(content))


def _path(url: str) -> str:
    """Return what an image is called that was downloaded: host and path, and no secrets."""
    if is_object(url):
        return cleaned(path_of(url))
    parts = urlsplit(url)
    return cleaned(f"{parts.hostname or ''}/{unquote(parts.path)}")


def _left_out(pages: int) -> str | None:
    if pages == 1:
        return None
    return f"Only page 1 of {pages:,} was read: post the file itself, and each page is an image."
