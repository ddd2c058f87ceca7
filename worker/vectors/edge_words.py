"""Visual words in Qdrant Edge: a shard a collection, of sparse vectors alone."""

from __future__ import annotations

from collections.abc import Sequence

import qdrant_edge as qe

from common.vectors.filters import Condition
from worker.vectors.edge_shards import (
    BATCH,
    FILTERS,
    EdgeShards,
    askable,
    translated,
    with_flags,
)
from worker.vectors.words import VECTOR, SparseVector, WordsHit, WordsPoint, of_vocabulary


class EdgeWordStore(EdgeShards):
    """A word store in a folder. Safe to share between threads, not between processes."""

    def put(self, collection: str, points: Sequence[WordsPoint]) -> None:
        """See WordStore."""
        if not points:
            return
        params = qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)
        shard = self._made(collection, qe.EdgeConfig(sparse_vectors={VECTOR: params}))
        with translated():
            for start in range(0, len(points), BATCH):
                batch = [_point(point) for point in points[start : start + BATCH]]
                shard.update(qe.UpdateOperation.upsert_points(batch))
            shard.flush()

    def search(
        self,
        collection: str,
        vector: SparseVector,
        *,
        vocabulary: str,
        limit: int,
        where: Sequence[Condition] = (),
    ) -> list[WordsHit]:
        """See WordStore."""
        shard = self._shards.get(collection)
        if shard is None or not vector.indices:
            return []
        conditions = [of_vocabulary(vocabulary), *(askable(c) for c in where)]
        request = qe.QueryRequest(
            limit=limit,
            query=qe.Query.Nearest(_sparse(vector), using=VECTOR),
            filter=FILTERS.build(conditions, None),
            with_payload=True,
        )
        with translated():
            found = shard.query(request)
        return [WordsHit((p.payload or {})["image_id"], p.score) for p in found if p.score > 0]


def _sparse(vector: SparseVector) -> qe.SparseVector:
    return qe.SparseVector(list(vector.indices), list(vector.weights))


def _point(point: WordsPoint) -> qe.Point:
    return qe.Point(point.id, {VECTOR: _sparse(point.vector)}, with_flags(point.payload()))
