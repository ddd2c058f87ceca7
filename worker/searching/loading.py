"""The pixels of a query: posted, downloaded, or cut out of an indexed image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from common import pictures
from common.catalogue import Catalogue
from common.contract.requests import Example, ImageExample, UrlExample
from common.errors import InvalidImage, NotFound
from common.geometry import Box
from common.images import ImageStore, ReadAhead, download_key, image_key, query_key
from worker.fetch import Fetcher
from worker.searching.options import SearchOptions

PIXELS = 32_000_000
"""Most pixels of all images of a query together; larger ones are reduced. 128 MB."""
ROOM_BYTES = 1024 * 2**20
"""What the images that the searches of a process decode at the same time may take."""
DECODING_BYTES = 8
"""A pixel takes 4 bytes, and twice that while the picture is turned or its mode is changed."""
_Corners = Sequence[int] | None


@dataclass(frozen=True)
class LoadedQuery:
    """The pixels of a query, upright RGB; a text has none.

    `given` is what is searched for, `examples` are more of it, `negatives` what it is not. An image
    that is partly transparent may be there on two grounds. A pixel of the first of `given` is
    `scale` pixels wide in the image as it was given.
    """

    given: tuple[Image.Image, ...]
    examples: tuple[Image.Image, ...]
    negatives: tuple[Image.Image, ...]
    scale: float = 1.0


@dataclass(frozen=True)
class _Part:
    """One image of a query on each of its grounds; a pixel of it was `scale` pixels wide."""

    grounded: tuple[Image.Image, ...]
    scale: float


@dataclass(frozen=True)
class QueryLoader:
    """Loads queries."""

    images: ImageStore
    catalogue: Catalogue
    fetcher: Fetcher
    max_pixels: int
    room: pictures.Room = field(default_factory=lambda: pictures.Room(ROOM_BYTES))

    def load(self, options: SearchOptions) -> LoadedQuery:
        """Load, decode and cut all of a query. Raises NeedleError: NotFound, InvalidBox, ...

        One image is decoded at a time, and is kept no larger than its share of PIXELS.
        """
        order = options.order
        given = self._given(options)
        examples = [self._example(example, options) for example in order.examples]
        negatives = [
            *self._files(order.negative_files, options, negative=True),
            *(self._example(example, options) for example in order.negatives),
        ]
        return LoadedQuery(
            tuple(pixels for part in given for pixels in part.grounded),
            tuple(pixels for part in examples for pixels in part.grounded),
            tuple(pixels for part in negatives for pixels in part.grounded),
            given[0].scale if given else 1.0,
        )

    def _given(self, options: SearchOptions) -> Sequence[_Part]:
        """Return what is searched for, the first cut to the request's box."""
        order = options.order
        if order.url:
            return (self._example(UrlExample(url=order.url, box=order.box), options),)
        if order.image_id:
            return (self._example(ImageExample(image_id=order.image_id, box=order.box), options),)
        return self._files(order.files, options, negative=False, box=order.box)

    def _example(self, example: Example, options: SearchOptions) -> _Part:
        """Return the pixels of an example, cut to its box."""
        if isinstance(example, UrlExample):
            content = self._downloaded(example.url, options)
        else:
            record = self.catalogue.get(options.collection, example.image_id)
            content = self.images.open(image_key(record.collection, record.image_id))
        return self._decode(content, example.box, options)

    def _downloaded(self, url: str, options: SearchOptions) -> bytes:
        try:
            return self.images.open(download_key(options.job_id, url))
        except NotFound:  # the web server is of before, and asked for no download
            return self.fetcher.fetch(url)

    def _files(
        self, count: int, options: SearchOptions, *, negative: bool, box: _Corners = None
    ) -> list[_Part]:
        """Return the pixels of the posted files, of the first those in `box`."""
        first = 0 if negative else options.first_file
        keys = [
            query_key(options.job_id, first + number, negative=negative) for number in range(count)
        ]
        try:
            with ReadAhead(self.images, keys) as reads:
                return [
                    self._decode(reads.open(key), None if number else box, options)
                    for number, key in enumerate(keys)
                ]
        except NotFound as exc:
            raise NotFound("The query's image is no longer there; post it again.") from exc

    def _decode(self, content: bytes, box: _Corners, options: SearchOptions) -> _Part:
        """Decode one image, and keep of it what is searched for. Raises InvalidImage if blank."""
        header = pictures.inspect(content, max_pixels=self.max_pixels)
        with self.room.held(DECODING_BYTES * header.width * header.height):
            # With `detect` each image is a thing of its own, and its boxes count from its corner.
            transparent = not options.order.detect
            read = pictures.read(content, max_pixels=self.max_pixels, transparent=transparent)
            pixels = read.pixels
            if box:
                pixels = pictures.crop(pixels, Box(*box))
            grounded = pictures.grounded(pixels)
            if all(pictures.is_blank(each) for each in grounded):
                raise InvalidImage(
                    "The query is blank: all of it is of one colour, and nothing can be found by "
                    "that. Choose a part that shows something."
                )
            most = PIXELS // (_images(options) * len(grounded))
            kept = tuple(pictures.shrunk(each, most) for each in grounded)
            return _Part(kept, grounded[0].width / kept[0].width)


def _images(options: SearchOptions) -> int:
    """Return how many images a query has; 1 for a text."""
    order = options.order
    given = order.files or int(order.url is not None or order.image_id is not None)
    return max(1, given + len(order.examples) + order.negative_files + len(order.negatives))
