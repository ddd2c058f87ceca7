"""The pictures that a request names: posted, downloaded, or cut out of indexed images."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from common import pictures
from common.catalogue import Catalogue
from common.errors import NotFound
from common.geometry import Box
from common.images import ImageStore, photo_key, query_key
from worker.fetch import Fetcher
from worker.searching.options import SearchOptions, Source


@dataclass(frozen=True)
class QueryPictures:
    """The pictures of a search, upright RGB.

    `given` is what is searched for, `examples` are more of it, `negatives` what it is not.
    """

    given: tuple[Image.Image, ...]
    examples: tuple[Image.Image, ...]
    negatives: tuple[Image.Image, ...]


@dataclass(frozen=True)
class QueryLoader:
    """Loads the pictures of searches."""

    images: ImageStore
    catalogue: Catalogue
    fetcher: Fetcher
    max_pixels: int

    def load(self, options: SearchOptions) -> QueryPictures:
        """Load, decode and cut every picture. Raises NeedleError: NotFound, InvalidBox, ..."""
        return QueryPictures(
            self._given(options),
            tuple(self._named(source, options) for source in options.examples),
            (
                *self._files(options.negative_files, options, negative=True),
                *(self._named(source, options) for source in options.negatives),
            ),
        )

    def _given(self, options: SearchOptions) -> tuple[Image.Image, ...]:
        """Return what is searched for, the first cut to the request's box."""
        if options.source is not None:
            return (self._named(options.source, options),)
        files = self._files(options.files, options, negative=False)
        return tuple(_cut(one, options.box if n == 0 else None) for n, one in enumerate(files))

    def _named(self, source: Source, options: SearchOptions) -> Image.Image:
        """Return a picture by its URL or the id of an image, cut to its box."""
        if source.url:
            content = self.fetcher.fetch(source.url)
        else:
            record = self.catalogue.get(options.collection, source.image_id or "")
            content = self.images.open(photo_key(record.collection, record.image_id))
        return _cut(self._decode(content), source.box)

    def _files(self, count: int, options: SearchOptions, *, negative: bool) -> list[Image.Image]:
        """Return the posted pictures."""
        keys = [query_key(options.job_id, number, negative=negative) for number in range(count)]
        try:
            return [self._decode(self.images.open(key)) for key in keys]
        except NotFound as exc:
            raise NotFound("The query's image is no longer there; post it again.") from exc

    def _decode(self, content: bytes) -> Image.Image:
        return pictures.decode(content, max_pixels=self.max_pixels)


def _cut(picture: Image.Image, box: Box | None) -> Image.Image:
    return pictures.crop(picture, box) if box else picture
