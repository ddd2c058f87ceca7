"""The regions nearest to a thing, from the vector store, and the best images among them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worker.models.base import Embeddings
from worker.models.kinds import query_vectors
from worker.searching.grouping import (
    Fetch,
    Grouping,
    Match,
    best_images,
    order,
    remembered,
    with_runners_up,
)
from worker.searching.options import SearchOptions
from worker.searching.question import Thing
from worker.vectors.base import Hit
from worker.vectors.stores import VectorStore

NEAREST = 1000
"""Regions among whose images those to be verified are chosen, and the background is taken from."""
KIND_WEIGHT = 0.3
"""How much the kind counts where the thing itself is searched for.

Another photograph of a thing, from elsewhere or in other light, shows less of the thing's own look
than of its kind.
"""
KIND_FROM_PX = 180.0
"""Side of a query, the root of its area, from which on its kind helps.

A smaller one is mostly found in small regions, and of those the kind cannot be told.
"""


@dataclass(frozen=True)
class Nearest:
    """Asks one vector store. Of its embeddings the last `kind_dim` numbers say the kind.

    Collections of fewer than `exact_below` regions are compared region by region.
    """

    store: VectorStore
    kind_dim: int
    exact_below: int

    def kind_weight(self, thing: Thing, options: SearchOptions) -> float:
        """Return how much a thing's kind counts, 0..1, where the thing itself is searched for.

        Nothing where the request says how much, or where its smallest picture is small.
        """
        sides = [math.sqrt(pixels.width * pixels.height) for pixels in thing.pixels]
        if options.same_kind is not None or min(sides, default=0.0) < KIND_FROM_PX:
            return 0.0
        return KIND_WEIGHT

    def compared(self, thing: Thing, same_kind: float) -> Embeddings:
        """Return what a thing's embeddings are compared as: see `kinds.query_vectors`."""
        return query_vectors(thing.embeddings, self.kind_dim, same_kind)

    def fetch(self, thing: Thing, options: SearchOptions, same_kind: float | None = None) -> Fetch:
        """Return what asks for the points nearest to any of the thing's embeddings, best first.

        `same_kind` is how much the kind counts, 0..1; None where the thing itself is searched for.

        Scores are dot products: what is compared need not have norm 1. A point's score is the best
        that any of them gives it, so that the first `limit` of the union of all first `limit` are
        those of all points.
        """
        if same_kind is None:
            same_kind = self.kind_weight(thing, options)
        embeddings = self.compared(thing, same_kind)
        exact = self.store.count(options.collection) < self.exact_below
        norms = np.linalg.norm(embeddings, axis=1)

        def fetch(limit: int, image_id: str | None = None) -> list[Hit]:
            best: dict[str, Hit] = {}
            for vector, norm in zip(embeddings, norms.tolist(), strict=True):
                for near in self.store.search(
                    options.collection,
                    vector / norm,
                    limit=limit,
                    where=options.where,
                    image_id=image_id,
                    exact=exact,
                ):
                    hit = Hit(near.id, near.score * norm, near.region)
                    if hit.id not in best or best[hit.id].score < hit.score:
                        best[hit.id] = hit
            return sorted(best.values(), key=order)[:limit]

        return fetch


def best_matches(fetch: Fetch, grouping: Grouping) -> list[Match]:
    """Return the best images, and behind them the others among the nearest regions."""
    nearest = fetch(NEAREST)
    best = best_images(remembered(nearest, fetch), grouping)
    return with_runners_up(best, nearest, grouping)
