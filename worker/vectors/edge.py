"""Qdrant Edge: the engine in-process, a shard a collection, owned by one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import qdrant_edge as qe

from common.vectors.filters import Condition
from worker.vectors.base import Hit, Point, Region, Vector
from worker.vectors.conditions import field_of, kind_of
from worker.vectors.edge_shards import (
    BATCH,
    FILTERS,
    FLAGS,
    EdgeShards,
    askable,
    translated,
    with_flags,
)

INDEXES: dict[str, qe.PayloadSchemaType | qe.IntegerIndexParams] = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.IntegerIndexParams(lookup=True, range=False),
    "float": qe.PayloadSchemaType.Float,
}


class EdgeVectorStore(EdgeShards):
    """A vector store in a folder. Safe to share between threads, not between processes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._indexed: set[tuple[str, str]] = set()

    def ensure_collection(self, name: str, dim: int) -> None:
        """See VectorStore."""
        vectors = {"": qe.EdgeVectorParams(size=dim, distance=qe.Distance.Cosine)}
        self._made(name, qe.EdgeConfig(vectors=vectors))

    def replace_images(self, collection: str, points: Mapping[str, Sequence[Point]]) -> None:
        """See VectorStore."""
        shard = self._shards[collection]
        every = [point for group in points.values() for point in group]
        with translated():
            for start in range(0, len(every), BATCH):
                batch = [_point(point) for point in every[start : start + BATCH]]
                shard.update(qe.UpdateOperation.upsert_points(batch))
            stale = FILTERS.of_images_except(list(points), [point.id for point in every])
            shard.update(qe.UpdateOperation.delete_points_by_filter(stale))
            shard.flush()

    def search(
        self,
        collection: str,
        vector: Vector,
        *,
        limit: int,
        where: Sequence[Condition] = (),
        image_id: str | None = None,
        exact: bool = True,
    ) -> list[Hit]:
        """See VectorStore."""
        shard = self._shards.get(collection)
        if shard is None:
            return []
        conditions = [askable(c) for c in where]
        self._index_fields(collection, shard, conditions)
        request = qe.QueryRequest(
            limit=limit,
            query=qe.Query.Nearest(vector.tolist()),
            filter=FILTERS.build(conditions, image_id),
            params=qe.SearchParams(exact=exact),
            with_payload=True,
        )
        with translated():
            found = shard.query(request)
        return [Hit(str(p.id), p.score, _region(p.payload)) for p in found]

    def _index_fields(
        self, collection: str, shard: qe.EdgeShard, conditions: Sequence[Condition]
    ) -> None:
        """Index what is filtered by, the first time: without, each point's payload is read."""
        for condition in conditions:
            field = field_of(condition)
            if (collection, field) in self._indexed:
                continue
            with self._lock, translated():
                if field not in shard.info().payload_schema:
                    kind = INDEXES[kind_of(condition)]
                    shard.update(qe.UpdateOperation.create_field_index(field, kind))
                self._indexed.add((collection, field))

    def regions(self, collection: str, image_id: str) -> dict[str, Region]:
        """See VectorStore."""
        shard = self._shards.get(collection)
        found: dict[str, Region] = {}
        offset = None
        while shard is not None:
            request = qe.ScrollRequest(
                offset=offset,
                limit=BATCH,
                filter=FILTERS.build((), image_id),
                with_payload=True,
            )
            with translated():
                page, offset = shard.scroll(request)
            found |= {str(p.id): _region(p.payload) for p in page}
            if offset is None:
                break
        return found

    def delete_collection(self, name: str) -> None:
        """See VectorStore."""
        super().delete_collection(name)
        self._indexed = {pair for pair in self._indexed if pair[0] != name}


def _point(point: Point) -> qe.Point:
    return qe.Point(point.id, point.vector.tolist(), with_flags(point.region.payload()))


def _region(payload: dict[str, Any] | None) -> Region:
    region = Region.from_payload(payload or {})
    metadata = {key: value for key, value in region.metadata.items() if key != FLAGS}
    return replace(region, metadata=metadata)
