"""A Qdrant server (or cluster), through qdrant-client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qdrant_client import QdrantClient, models

from common.vectors.filters import Condition
from worker.vectors.base import Hit, Point, Region, Vector
from worker.vectors.conditions import field_of, kind_of
from worker.vectors.server_collections import BATCH, FILTERS, ServerCollections, translated

INDEXES: dict[str, models.PayloadSchemaType | models.IntegerIndexParams] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.IntegerIndexParams(
        type=models.IntegerIndexType.INTEGER, lookup=True, range=False
    ),
    "float": models.PayloadSchemaType.FLOAT,
}


class ServerVectorStore(ServerCollections):
    """A vector store on a Qdrant server; any number of processes may share it."""

    prefix = "needle_"

    def __init__(self, client: QdrantClient) -> None:
        super().__init__(client)
        self._indexed: set[tuple[str, str]] = set()

    def ensure_collection(self, name: str, dim: int) -> None:
        """See VectorStore."""
        params = models.VectorParams(size=dim, distance=models.Distance.COSINE)
        with translated():
            self._make(name, vectors_config=params)

    def replace_images(self, collection: str, points: Mapping[str, Sequence[Point]]) -> None:
        """See VectorStore."""
        every = [point for group in points.values() for point in group]
        name = self.prefix + collection
        with translated():
            for start in range(0, len(every), BATCH):
                batch = [_point(point) for point in every[start : start + BATCH]]
                self._client.upsert(name, batch, wait=True)
            stale = FILTERS.of_images_except(list(points), [point.id for point in every])
            self._client.delete(name, models.FilterSelector(filter=stale), wait=True)

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
        with translated():
            if not self._exists(collection):
                return []
            self._index_fields(self.prefix + collection, where)
            answer = self._client.query_points(
                self.prefix + collection,
                query=vector.tolist(),
                limit=limit,
                query_filter=FILTERS.build(where, image_id),
                search_params=models.SearchParams(exact=exact),
                with_payload=True,
            )
        found = answer.points
        return [Hit(str(p.id), p.score, Region.from_payload(p.payload or {})) for p in found]

    def _index_fields(self, name: str, conditions: Sequence[Condition]) -> None:
        """Index what is filtered by, the first time: without, each point's payload is read."""
        for condition in conditions:
            field = field_of(condition)
            if (name, field) not in self._indexed:
                if field not in self._client.get_collection(name).payload_schema:
                    kind = INDEXES[kind_of(condition)]
                    self._client.create_payload_index(name, field, kind, wait=True)
                self._indexed.add((name, field))

    def regions(self, collection: str, image_id: str) -> dict[str, Region]:
        """See VectorStore."""
        found: dict[str, Region] = {}
        offset: Any = None
        with translated():
            while self._exists(collection):
                page, offset = self._client.scroll(
                    self.prefix + collection,
                    scroll_filter=FILTERS.build((), image_id),
                    limit=BATCH,
                    offset=offset,
                    with_payload=True,
                )
                found |= {str(p.id): Region.from_payload(p.payload or {}) for p in page}
                if offset is None:
                    break
        return found

    def delete_collection(self, name: str) -> None:
        """See VectorStore."""
        super().delete_collection(name)
        self._indexed = {pair for pair in self._indexed if pair[0] != self.prefix + name}


def _point(point: Point) -> models.PointStruct:
    return models.PointStruct(
        id=point.id, vector=point.vector.tolist(), payload=point.region.payload()
    )
