"""A Qdrant server (or cluster), through qdrant-client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from common.errors import StoreRefused, StoreUnavailable
from common.vectors.base import Hit, Point, Region, Vector
from common.vectors.conditions import FilterFactory, field_of, kind_of
from common.vectors.filters import Condition

BATCH = 256
_TIMEOUT_S = 30
_PREFIX = "needle_"
INDEXES: dict[str, models.PayloadSchemaType | models.IntegerIndexParams] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.IntegerIndexParams(
        type=models.IntegerIndexType.INTEGER, lookup=True, range=False
    ),
    "float": models.PayloadSchemaType.FLOAT,
}
FILTERS = FilterFactory(
    filter=models.Filter,
    field=models.FieldCondition,
    value=lambda value: models.MatchValue(value=value),
    any_of=lambda values: models.MatchAny(any=values),
    range=models.Range,
    has_id=lambda ids: models.HasIdCondition(has_id=ids),
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the client's errors into StoreRefused and StoreUnavailable."""
    try:
        yield
    except UnexpectedResponse as exc:
        if exc.status_code is not None and 400 <= exc.status_code < 500:
            raise StoreRefused(f"The Qdrant server does not take this: {exc}") from exc
        raise StoreUnavailable(f"The Qdrant server failed: {exc}") from exc
    except (ApiException, httpx.HTTPError, OSError) as exc:
        raise StoreUnavailable(f"The Qdrant server does not answer as it should: {exc}") from exc


def connect(url: str, *, api_key: str | None = None) -> QdrantClient:
    """Return a client of the server at `url`. Raises StoreUnavailable when it does not answer."""
    with translated():
        client = QdrantClient(
            url=url, api_key=api_key, timeout=_TIMEOUT_S, check_compatibility=False
        )
        client.get_collections()
    return client


class ServerVectorStore:
    """A vector store on a Qdrant server; any number of processes may share it."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._known: set[str] = set()
        self._indexed: set[tuple[str, str]] = set()

    @classmethod
    def connect(cls, url: str, *, api_key: str | None = None) -> ServerVectorStore:
        """Connect to the server at `url`. Raises StoreUnavailable when it does not answer."""
        return cls(connect(url, api_key=api_key))

    def ensure_collection(self, name: str, dim: int) -> None:
        """See VectorStore."""
        with translated():
            if self._exists(name):
                return
            try:
                self._client.create_collection(
                    _PREFIX + name,
                    vectors_config=models.VectorParams(size=dim, distance=models.Distance.COSINE),
                )
            except ApiException:
                if not self._client.collection_exists(_PREFIX + name):  # else: a peer was faster
                    raise
            self._client.create_payload_index(
                _PREFIX + name, "image_id", models.PayloadSchemaType.KEYWORD, wait=True
            )

    def replace_images(self, collection: str, points: Mapping[str, Sequence[Point]]) -> None:
        """See VectorStore."""
        every = [point for group in points.values() for point in group]
        name = _PREFIX + collection
        with translated():
            for start in range(0, len(every), BATCH):
                batch = [_point(point) for point in every[start : start + BATCH]]
                self._client.upsert(name, batch, wait=True)
            stale = FILTERS.of_images_except(list(points), [point.id for point in every])
            self._client.delete(name, models.FilterSelector(filter=stale), wait=True)

    def delete_image(self, collection: str, image_id: str) -> None:
        """See VectorStore."""
        with translated():
            if self._exists(collection):
                one = models.FilterSelector(filter=FILTERS.of_images_except([image_id], []))
                self._client.delete(_PREFIX + collection, one, wait=True)

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
            self._index_fields(_PREFIX + collection, where)
            answer = self._client.query_points(
                _PREFIX + collection,
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
                    _PREFIX + collection,
                    scroll_filter=FILTERS.build((), image_id),
                    limit=BATCH,
                    offset=offset,
                    with_payload=True,
                )
                found |= {str(p.id): Region.from_payload(p.payload or {}) for p in page}
                if offset is None:
                    break
        return found

    def count(self, collection: str) -> int:
        """See VectorStore."""
        with translated():
            if not self._exists(collection):
                return 0
            return self._client.count(_PREFIX + collection, exact=True).count

    def delete_collection(self, name: str) -> None:
        """See VectorStore."""
        self._known.discard(name)
        self._indexed = {pair for pair in self._indexed if pair[0] != _PREFIX + name}
        with translated():
            self._client.delete_collection(_PREFIX + name)

    def close(self) -> None:
        """See VectorStore."""
        self._client.close()

    def _exists(self, name: str) -> bool:
        """Remember collections once seen: this is asked on every search."""
        if name not in self._known and self._client.collection_exists(_PREFIX + name):
            self._known.add(name)
        return name in self._known


def _point(point: Point) -> models.PointStruct:
    return models.PointStruct(
        id=point.id, vector=point.vector.tolist(), payload=point.region.payload()
    )
