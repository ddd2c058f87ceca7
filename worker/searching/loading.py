"""The pixels of a query: posted, downloaded, or cut out of an indexed image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from common import pictures
from common.catalogue import Catalogue
from common.contract.requests import Example, ImageExample, UrlExample
from common.errors import NotFound
from common.geometry import Box
from common.images import ImageStore, download_key, image_key, query_key
from worker.fetch import Fetcher
from worker.searching.options import SearchOptions


@dataclass(frozen=True)
class LoadedQuery:
    """The pixels of a query, upright RGB; a text has none.

    `given` is what is searched for, `examples` are more of it, `negatives` what it is not.
    """

    given: tuple[Image.Image, ...]
    examples: tuple[Image.Image, ...]
    negatives: tuple[Image.Image, ...]


@dataclass(frozen=True)
class QueryLoader:
    """Loads queries."""

    images: ImageStore
    catalogue: Catalogue
    fetcher: Fetcher
    max_pixels: int

    def load(self, options: SearchOptions) -> LoadedQuery:
        """Load, decode and cut all of a query. Raises NeedleError: NotFound, InvalidBox, ..."""
        order = options.order
        return LoadedQuery(
            self._given(options),
            tuple(self._example(example, options) for example in order.examples),
            (
                *self._files(order.negative_files, options, negative=True),
                *(self._example(example, options) for example in order.negatives),
            ),
        )

    def _given(self, options: SearchOptions) -> tuple[Image.Image, ...]:
        """Return what is searched for, the first cut to the request's box."""
        order = options.order
        if order.url:
            return (self._example(UrlExample(url=order.url, box=order.box), options),)
        if order.image_id:
            return (self._example(ImageExample(image_id=order.image_id, box=order.box), options),)
        files = self._files(order.files, options, negative=False)
        return tuple(_cut(file, order.box if n == 0 else None) for n, file in enumerate(files))

    def _example(self, example: Example, options: SearchOptions) -> Image.Image:
        """Return the pixels of an example, cut to its box."""
        if isinstance(example, UrlExample):
            content = self._downloaded(example.url, options)
        else:
            record = self.catalogue.get(options.collection, example.image_id)
            content = self.images.open(image_key(record.collection, record.image_id))
        return _cut(self._decode(content), example.box)

    def _downloaded(self, url: str, options: SearchOptions) -> bytes:
        try:
            return self.images.open(download_key(options.job_id, url))
        except NotFound:  # the web server is of before, and asked for no download
            return self.fetcher.fetch(url)

    def _files(self, count: int, options: SearchOptions, *, negative: bool) -> list[Image.Image]:
        """Return the pixels of the posted files."""
        keys = [query_key(options.job_id, number, negative=negative) for number in range(count)]
        try:
            return [self._decode(self.images.open(key)) for key in keys]
        except NotFound as exc:
            raise NotFound("The query's image is no longer there; post it again.") from exc

    def _decode(self, content: bytes) -> Image.Image:
        return pictures.decode(content, max_pixels=self.max_pixels)


def _cut(pixels: Image.Image, box: Sequence[int] | None) -> Image.Image:
    return pictures.crop(pixels, Box(*box)) if box else pixels
