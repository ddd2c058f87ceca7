"""The local features of each thing that is searched for: what it looks like in its details."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from worker.local.features import extract
from worker.local.match import Query
from worker.local.vocabulary import Vocabulary
from worker.searching.options import SearchOptions
from worker.searching.question import Question, Thing

QUERY_FEATURES = 500
"""Keypoints of a query: matching costs time in proportion."""
QUERY_PIXELS = 640_000
"""Pixels of a query's first octave, at most: more only cost time."""
LEAST_FEATURES = 4
"""Fewer keypoints prove nothing."""


@dataclass(frozen=True)
class QueryDescriber:
    """Detects the local features of things."""

    vocabulary: Vocabulary

    def describe(self, question: Question, options: SearchOptions) -> Question:
        """Return the question with local features; unchanged where nothing is to be verified."""
        if not options.verify_images:
            return question
        return question.with_each(self._described)

    def _described(self, thing: Thing) -> Thing:
        queries = tuple(query for pixels in thing.pixels for query in self._both(pixels))
        return replace(thing, queries=queries or None)

    def _both(self, pixels: Image.Image) -> tuple[Query, ...]:
        """Return the features of a query as it is and mirrored; none where there are too few."""
        features = extract(pixels, QUERY_FEATURES, QUERY_PIXELS)
        return Query.both(features, self.vocabulary) if len(features) >= LEAST_FEATURES else ()
