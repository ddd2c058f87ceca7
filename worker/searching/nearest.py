"""The regions nearest to a thing, from the vector store, and the best images among them."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Nearest:
    """Asks one vector store. Of its embeddings the last `kind_dim` numbers say the kind.

    Collections of fewer than `exact_below` regions are compared region by region.
    """

    store: VectorStore
    kind_dim: int
    exact_below: int

    def compared(self, thing: Thing, same_kind: float = 0.0) -> Embeddings:
        """Return what a thing's embeddings are compared as: see `kinds.query_vectors`."""
        return query_vectors(thing.embeddings, self.kind_dim, same_kind)

    def fetch(self, thing: Thing, options: SearchOptions, same_kind: float = 0.0) -> Fetch:
        """Return what asks for the points nearest to any of the thing's embeddings, best first.

        Scores are dot products: what is compared need not have norm 1. A point's score is the best
        that any of them gives it, so that the first `limit` of the union of all first `limit` are
        those of all points.
        """
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
