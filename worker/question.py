"""What a search asks: its pictures loaded, cut and embedded, and their local features described."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from common import pictures
from common.catalogue import Catalogue
from common.contract.orders import SearchOrder
from common.contract.requests import Example, ImageExample, UrlExample
from common.errors import NotFound
from common.fetch import Fetcher
from common.geometry import Box
from common.images import ImageStore, photo_key, query_key
from common.vectors.aggregate import Aggregate
from common.vectors.base import Vector
from worker.local.match import Query
from worker.models.base import Detection, Detector, Embeddings, Encoder
from worker.verify import Verifier

Lap = Callable[[str], None]
MOST_THINGS = 6
"""Things of a picture that are searched for with `detect`: each costs a search."""
LEAST_CONFIDENCE = 0.25
"""A detection of less is as often nothing; regions are proposed from far less."""
QUARTERS = (
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
)
WHOLE_SHARE = 0.9
"""A detection that covers this share of the picture is the picture itself."""


@dataclass(frozen=True)
class Thing:
    """One thing that is searched for. Any of its pictures will do.

    `embeddings` (E, dim) float32; `queries` its pictures' local features, each as it is and
    mirrored, None where nothing is verified; `aspect` width over height of the first picture, None
    for a text; `detection` what the detector said of it where the things were detected.
    """

    embeddings: Embeddings
    queries: tuple[Query, ...] | None
    aspect: float | None
    detection: Detection | None = None


@dataclass(frozen=True)
class Question:
    """The things that photos should hold, all of them, and what none of them should be like."""

    things: tuple[Thing, ...]
    unlike: Thing | None


@dataclass(frozen=True)
class Asker:
    """Makes questions of search jobs, with one encoder."""

    encoder: Encoder
    images: ImageStore
    catalogue: Catalogue
    fetcher: Fetcher
    max_pixels: int
    verifier: Verifier
    load_detector: Callable[[], Detector | None]
    """Takes seconds; called by the first search that asks to detect."""

    def ask(self, job_id: str, order: SearchOrder, lap: Lap) -> Question:
        """Load, cut, detect, embed and describe; `lap` is told each as it ends. NeedleError."""
        sources = _Sources(self, job_id, order)
        given = sources.pictures()
        examples = [sources.example(one) for one in order.examples]
        negatives = sources.negatives()
        lap("load")
        if order.detect and given:
            found = self._detected(given[0])
            lap("detect")
            things = [
                *(self._thing([cut], order, lap, detection) for cut, detection in found),
                *(self._thing([one], order, lap) for one in [*given[1:], *examples]),
            ]
        else:
            things = [self._thing([*given, *examples], order, lap)]
        wordless = order.model_copy(update={"text": None})
        return Question(tuple(things), self._thing(negatives, wordless, lap) if negatives else None)

    def _thing(
        self,
        shown: Sequence[Image.Image],
        order: SearchOrder,
        lap: Lap,
        detection: Detection | None = None,
    ) -> Thing:
        embeddings = self._embed(shown, order)
        lap("encode")
        queries = self._describe(shown, order)
        lap("describe")
        aspect = shown[0].width / shown[0].height if shown else None
        return Thing(embeddings, queries, aspect, detection)

    def _embed(self, shown: Sequence[Image.Image], order: SearchOrder) -> Embeddings:
        """Return embeddings (E, dim): the pictures', also turned where the request says so.

        Each is mixed with the text's where there is one.
        """
        text: Vector | None = None
        if order.text is not None:
            text = self.encoder.encode_texts([order.text])[0]
        if not shown:
            assert text is not None  # web lets no request pass that asks for nothing
            return text.reshape(1, -1)
        turned = [one.transpose(turn) for one in shown for turn in QUARTERS]
        every = [*shown, *turned] if order.rotate else shown
        embeddings = self.encoder.encode_images(every)
        if text is None:
            return embeddings
        weight = order.text_weight
        mixed = (1 - weight) * embeddings + weight * text
        norms = np.linalg.norm(mixed, axis=1, keepdims=True)
        unit: Embeddings = (mixed / np.maximum(norms, 1e-6)).astype(np.float32)
        return unit

    def _describe(
        self, shown: Sequence[Image.Image], order: SearchOrder
    ) -> tuple[Query, ...] | None:
        """Return the pictures' local features; None for a text, or where nothing is verified."""
        other_score = order.aggregate is not Aggregate.MAX
        if order.verify is False or other_score or not self.verifier.most_images:
            return None
        return tuple(query for one in shown for query in self.verifier.describe(one)) or None

    def _detected(self, image: Image.Image) -> list[tuple[Image.Image, Detection | None]]:
        """Return the things in a picture; the picture itself where there is none."""
        detector = self._detector
        found = []
        if detector is not None:
            every = detector.detect([image], confidence_threshold=LEAST_CONFIDENCE)[0]
            found = _apart(every, *image.size)[:MOST_THINGS]
        if not found:
            return [(image, None)]
        return [(pictures.crop(image, box), detection) for box, detection in found]

    @cached_property
    def _detector(self) -> Detector | None:
        return self.load_detector()


@dataclass(frozen=True)
class _Sources:
    """Where the pictures of one search come from."""

    asker: Asker
    job_id: str
    order: SearchOrder

    def pictures(self) -> list[Image.Image]:
        """Return what is searched for, the first cut to the request's box."""
        order = self.order
        if order.url:
            return [self.example(UrlExample(url=order.url, box=order.box))]
        if order.image_id:
            return [self.example(ImageExample(image_id=order.image_id, box=order.box))]
        files = self._files(order.files, negative=False)
        return [_cut(one, order.box if n == 0 else None) for n, one in enumerate(files)]

    def negatives(self) -> list[Image.Image]:
        """Return what nothing found should be like."""
        files = self._files(self.order.negative_files, negative=True)
        return [*files, *(self.example(one) for one in self.order.negatives)]

    def example(self, source: Example) -> Image.Image:
        """Return a picture by its `url` or `image_id`, cut to its `box`."""
        if isinstance(source, UrlExample):
            content = self.asker.fetcher.fetch(source.url)
        else:
            record = self.asker.catalogue.get(self.order.collection, source.image_id)
            content = self.asker.images.open(photo_key(record.collection, record.image_id))
        return _cut(self._decode(content), source.box)

    def _files(self, count: int, *, negative: bool) -> list[Image.Image]:
        try:
            return [
                self._decode(
                    self.asker.images.open(query_key(self.job_id, number, negative=negative))
                )
                for number in range(count)
            ]
        except NotFound as exc:
            raise NotFound("The query's image is no longer there; post it again.") from exc

    def _decode(self, content: bytes) -> Image.Image:
        return pictures.decode(content, max_pixels=self.asker.max_pixels)


def _cut(image: Image.Image, box: Sequence[int] | None) -> Image.Image:
    return pictures.crop(image, Box(*box)) if box else image


def _apart(every: Sequence[Detection], width: int, height: int) -> list[tuple[Box, Detection]]:
    """Return detections that show different things, most confident first, with whole boxes."""
    kept: list[tuple[Box, Detection]] = []
    for one in every:
        box = Box.covering((one.x1, one.y1, one.x2, one.y2), width, height)
        whole = box.area >= WHOLE_SHARE * width * height
        if not whole and all(box.iou(other) < 0.5 for other, _ in kept):
            kept.append((box, one))
    return kept
