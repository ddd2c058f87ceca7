"""Visual words in Qdrant Edge: a shard a collection, of sparse vectors alone."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import qdrant_edge as qe

from common.vectors.edge import BATCH, FILTERS, askable, translated, with_flags
from common.vectors.filters import Condition
from common.vectors.words import VECTOR, SparseVector, WordsHit, WordsPoint, of_vocabulary


class EdgeWordStore:
    """A word store in a folder. Safe to share between threads, not between processes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._shards: dict[str, qe.EdgeShard] = {}
        self._lock = threading.Lock()
        root.mkdir(parents=True, exist_ok=True)
        for folder in sorted(p for p in root.iterdir() if p.is_dir()):
            with translated():
                self._shards[folder.name] = qe.EdgeShard.load(str(folder))

    def put(self, collection: str, points: Sequence[WordsPoint]) -> None:
        """See WordStore."""
        if not points:
            return
        shard = self._shard(collection)
        with translated():
            for start in range(0, len(points), BATCH):
                batch = [_point(point) for point in points[start : start + BATCH]]
                shard.update(qe.UpdateOperation.upsert_points(batch))
            shard.flush()

    def delete_image(self, collection: str, image_id: str) -> None:
        """See WordStore."""
        shard = self._shards.get(collection)
        if shard is None:
            return
        with translated():
            one = FILTERS.of_images_except([image_id], [])
            shard.update(qe.UpdateOperation.delete_points_by_filter(one))
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

    def count(self, collection: str) -> int:
        """See WordStore."""
        shard = self._shards.get(collection)
        if shard is None:
            return 0
        with translated():
            return shard.count(qe.CountRequest(exact=True))

    def delete_collection(self, name: str) -> None:
        """See WordStore."""
        with self._lock, translated():
            shard = self._shards.pop(name, None)
            if shard is not None:
                shard.close()
                shutil.rmtree(self._root / name)

    def close(self) -> None:
        """See WordStore."""
        with self._lock, translated():
            for shard in self._shards.values():
                shard.close()
            self._shards.clear()

    def _shard(self, name: str) -> qe.EdgeShard:
        """Return the collection's shard, made when it is not there."""
        with self._lock, translated():
            if name not in self._shards:
                folder = self._root / name
                folder.mkdir()
                params = qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)
                config = qe.EdgeConfig(sparse_vectors={VECTOR: params})
                shard = qe.EdgeShard.create(str(folder), config)
                keyword = qe.PayloadSchemaType.Keyword
                shard.update(qe.UpdateOperation.create_field_index("image_id", keyword))
                self._shards[name] = shard
            return self._shards[name]


def _sparse(vector: SparseVector) -> qe.SparseVector:
    return qe.SparseVector(list(vector.indices), list(vector.weights))


def _point(point: WordsPoint) -> qe.Point:
    return qe.Point(point.id, {VECTOR: _sparse(point.vector)}, with_flags(point.payload()))
