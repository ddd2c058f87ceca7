"""Visual words on a Qdrant server: a collection of sparse vectors beside each of embeddings."""

from __future__ import annotations

from collections.abc import Sequence

from qdrant_client import models

from common.vectors.filters import Condition
from worker.vectors.server_collections import BATCH, FILTERS, ServerCollections, translated
from worker.vectors.words import VECTOR, SparseVector, WordsHit, WordsPoint, of_vocabulary


class ServerWordStore(ServerCollections):
    """A word store on a Qdrant server; any number of processes may share it."""

    prefix = "needlewords_"

    def put(self, collection: str, points: Sequence[WordsPoint]) -> None:
        """See WordStore."""
        if not points:
            return
        with translated():
            params = models.SparseVectorParams(modifier=models.Modifier.IDF)
            self._make(collection, vectors_config={}, sparse_vectors_config={VECTOR: params})
            for start in range(0, len(points), BATCH):
                batch = [_point(point) for point in points[start : start + BATCH]]
                self._client.upsert(self.prefix + collection, batch, wait=True)

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
        with translated():
            if not vector.indices or not self._exists(collection):
                return []
            answer = self._client.query_points(
                self.prefix + collection,
                query=_sparse(vector),
                using=VECTOR,
                limit=limit,
                query_filter=FILTERS.build([of_vocabulary(vocabulary), *where], None),
                with_payload=True,
            )
        return [
            WordsHit((p.payload or {})["image_id"], p.score) for p in answer.points if p.score > 0
        ]


def _sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=list(vector.indices), values=list(vector.weights))


def _point(point: WordsPoint) -> models.PointStruct:
    return models.PointStruct(
        id=point.id, vector={VECTOR: _sparse(point.vector)}, payload=point.payload()
    )
