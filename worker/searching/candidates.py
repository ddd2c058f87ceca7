"""The images that may hold a thing: by its embedding, and by the visual words they share with it.

Images that share rare details with the query are candidates even where their embeddings are far
from the query's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from worker.local.match import Query
from worker.local.vocabulary import Vocabulary
from worker.local.words import query_words
from worker.searching.certainty import Background
from worker.searching.grouping import Match
from worker.searching.nearest import Nearest, best_matches
from worker.searching.options import SearchOptions
from worker.searching.question import Question, Thing
from worker.searching.resemblance import SMALL_PX
from worker.vectors.stores import WordStore

FULL_QUERY = 400
"""Keypoints of a query from which on no more images are verified than the settings say."""
MOST_MORE = 3.0
"""How many times more are verified where the query has few, and looked at where it is small.

Each of them costs less.
"""
FIRST_LOOKS = 12
"""Images that a closer look begins with, and all of whose hits are known."""
HITS_LEFT_OVER = 6
"""Hits looked at of each image where some may be left out as negatives."""


@dataclass(frozen=True)
class Candidate:
    """An image to be verified against one of a thing's queries.

    `query` is the index of that query; queries are as they were given, or mirrored.
    """

    image_id: str
    query: int


@dataclass(frozen=True)
class Candidates:
    """The images that may hold `thing` and should not be like `unlike`.

    `matches` are those of its embedding, best first, more than the answer holds; `by_words` those
    that share visual words, best first, an image perhaps many times. `background` is what images
    score that do not hold the thing. `looks` images get a closer look. `started` is when the search
    for this thing began, on the monotonic clock.
    """

    thing: Thing
    unlike: Thing | None
    matches: tuple[Match, ...]
    by_words: tuple[Candidate, ...]
    background: Background
    looks: int
    started: float

    def described(self, question: Question, number: int) -> Candidates:
        """Return the candidates with the local features of the question's thing of that number."""
        unlike = self.unlike
        if unlike is not None and question.unlike is not None:
            unlike = replace(unlike, queries=question.unlike.queries)
        thing = replace(self.thing, queries=question.things[number].queries)
        return replace(self, thing=thing, unlike=unlike)


@dataclass(frozen=True)
class CandidateFinder:
    """Finds candidates in both stores."""

    nearest: Nearest
    words: WordStore
    vocabulary: Vocabulary

    def by_embedding(
        self, thing: Thing, unlike: Thing | None, options: SearchOptions
    ) -> Candidates:
        """Return the candidates that look like the thing. Raises StoreUnavailable."""
        started = time.monotonic()
        looks = images_to_look_at(thing, options.zoom_images)
        # Behind the best images come the others among the nearest regions: enough to look at.
        grouping = options.grouping.at_least(min(looks, FIRST_LOOKS))
        if unlike is not None:
            most = max(grouping.hits_per_image, HITS_LEFT_OVER)
            grouping = replace(grouping, hits_per_image=most)
        matches = tuple(best_matches(self.nearest.fetch(thing, options), grouping))
        return Candidates(thing, unlike, matches, (), Background.of(matches), looks, started)

    def with_words(self, candidates: Candidates, options: SearchOptions) -> Candidates:
        """Return the candidates and those that share the most words. Raises StoreUnavailable."""
        limit = images_to_verify(candidates.thing.queries or (), options.verify_images)
        scored = [
            (hit.score, Candidate(hit.image_id, number))
            for number, query in enumerate(candidates.thing.queries or ())
            for hit in self.words.search(
                options.collection,
                query_words(query),
                vocabulary=self.vocabulary.id,
                limit=limit,
                where=options.where,
            )
        ]
        scored.sort(key=lambda pair: (-pair[0], pair[1].image_id, pair[1].query))
        return replace(candidates, by_words=tuple(candidate for _, candidate in scored))


def images_to_look_at(thing: Thing, most: int) -> int:
    """Return how many images get a closer look: more than `most` where the query is small.

    The embedding of a small one says little.
    """
    if thing.aspect is None:
        return 0
    side = min(math.sqrt(pixels.width * pixels.height) for pixels in thing.pixels)
    return round(most * min(MOST_MORE, max(1.0, SMALL_PX / side)))


def images_to_verify(queries: Sequence[Query], most: int) -> int:
    """Return how many images are verified: more than `most` where that is quickly done.

    A small crop of a large image has few keypoints, and shares few words with it.
    """
    fullest = max((len(query.keypoints) for query in queries), default=FULL_QUERY)
    return round(most * min(MOST_MORE, max(1.0, FULL_QUERY / max(fullest, 1))))
