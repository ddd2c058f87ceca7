"""The embeddings of each thing that is searched for: its pixels, turned or mixed with a text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from worker.models.base import Embeddings, Encoder
from worker.searching.options import SearchOptions
from worker.searching.question import Question, Thing
from worker.vectors.base import Vector

QUARTERS = (
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
)


@dataclass(frozen=True)
class QueryEmbedder:
    """Embeds things with one encoder."""

    encoder: Encoder

    def embed(self, question: Question, options: SearchOptions) -> Question:
        """Return the question with embeddings. Raises TextNotSupported.

        The text belongs to what is searched for; what images should not be like has none.
        """
        return Question(
            tuple(self._embedded(thing, options, options.order.text) for thing in question.things),
            None if question.unlike is None else self._embedded(question.unlike, options, None),
        )

    def _embedded(self, thing: Thing, options: SearchOptions, words: str | None) -> Thing:
        return replace(thing, embeddings=self._embeddings(thing, options, words))

    def _embeddings(self, thing: Thing, options: SearchOptions, words: str | None) -> Embeddings:
        """Return embeddings (E, dim) of the pixels, also turned where the request says so.

        Each is mixed with that of the `words` where there are any.
        """
        text: Vector | None = None
        if words is not None:
            text = self.encoder.encode_texts([words])[0]
        if not thing.pixels:
            assert text is not None  # web refuses a request without a query
            return text.reshape(1, -1)
        turned = [pixels.transpose(turn) for pixels in thing.pixels for turn in QUARTERS]
        every = [*thing.pixels, *turned] if options.order.rotate else thing.pixels
        embeddings = self.encoder.encode_images(every)
        if text is None:
            return embeddings
        weight = options.order.text_weight
        mixed = (1 - weight) * embeddings + weight * text
        norms = np.linalg.norm(mixed, axis=1, keepdims=True)
        unit: Embeddings = (mixed / np.maximum(norms, 1e-6)).astype(np.float32)
        return unit
