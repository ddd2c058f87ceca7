"""A Qdrant server (or cluster), through qdrant-client: a collection a shelf."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from common.errors import StoreRefused, StoreUnavailable
from common.vectors.filters import Condition
from worker.vectors.conditions import FilterFactory, field_of, kind_of
from worker.vectors.engine import (
    LOOKED_AT,
    NEAR_PAYLOAD,
    PAYLOAD,
    Kept,
    Near,
    Row,
    Shelf,
    Sort,
    State,
    Wanted,
)
from worker.vectors.words import VECTOR, SparseVector

T = TypeVar("T")
BATCH = 256
MANY = 1000
"""Points read or removed in one call."""
_TIMEOUT_S = 30
SURE_S = 60.0
"""How long a field with an index is taken to have it: a shelf may be dropped and made again."""
GONE = 404
PREFIXES = {Sort.REGIONS: "needle_", Sort.WORDS: "needlewords_"}
"""Goes before a collection's name, so that the sorts keep apart on one server."""
FILTERS = FilterFactory(
    filter=models.Filter,
    field=models.FieldCondition,
    value=lambda value: models.MatchValue(value=value),
    any_of=lambda values: models.MatchAny(any=values),
    range=models.Range,
    has_id=lambda ids: models.HasIdCondition(has_id=ids),
)
INDEXES: dict[str, models.PayloadSchemaType | models.IntegerIndexParams] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.IntegerIndexParams(
        type=models.IntegerIndexType.INTEGER, lookup=True, range=False
    ),
    "float": models.PayloadSchemaType.FLOAT,
}


class Server:
    """An engine on a server; any number of processes may share it."""

    builds_itself = True

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        # What was seen last. Other processes make and drop shelves, too.
        self._known: set[Shelf] = set()
        self._indexed: dict[tuple[Shelf, str], float] = {}

    @classmethod
    def connect(cls, url: str, *, api_key: str | None = None) -> Server:
        """Connect to the server at `url`. Raises StoreUnavailable when it does not answer."""
        with _translated():
            client = QdrantClient(
                url=url, api_key=api_key, timeout=_TIMEOUT_S, check_compatibility=False
            )
            client.get_collections()
        return cls(client)

    def make(self, shelf: Shelf, dim: int | None) -> None:
        """See Engine."""
        name = _name(shelf)
        with _translated():
            there = self._client.collection_exists(name)
            if there and shelf in self._known:
                return
            if not there:
                self._forget(shelf)
                try:
                    self._client.create_collection(name, **_config(dim))
                except ApiException:
                    if not self._client.collection_exists(name):  # else: a peer was faster
                        raise
            # Not only where it was made: whoever made it may have died before this.
            keyword = models.PayloadSchemaType.KEYWORD
            self._client.create_payload_index(name, "image_id", keyword, wait=True)
            self._known.add(shelf)

    def write(self, shelf: Shelf, rows: Sequence[Row]) -> None:
        """See Engine."""
        name = _name(shelf)
        with _translated():
            for start in range(0, len(rows), BATCH):
                batch = [_point(row) for row in rows[start : start + BATCH]]
                try:
                    self._client.upsert(name, batch, wait=True)
                except UnexpectedResponse as exc:
                    if exc.status_code != GONE:
                        raise
                    self._forget(shelf)
                    raise StoreUnavailable("The collection was removed meanwhile.") from exc

    def delete(self, shelf: Shelf, ids: Sequence[str]) -> None:
        """See Engine."""
        for start in range(0, len(ids), MANY):
            some = models.PointIdsList(points=list(ids[start : start + MANY]))
            self._read(shelf, partial(self._client.delete, _name(shelf), some, wait=True), None)

    def of_images(self, shelf: Shelf, image_ids: Sequence[str]) -> list[Kept]:
        """See Engine."""
        return list(self._scroll(shelf, FILTERS.of_images(image_ids))) if image_ids else []

    def every(self, shelf: Shelf) -> Iterator[Kept]:
        """See Engine."""
        return self._scroll(shelf, None)

    def read(self, shelf: Shelf, ids: Sequence[str]) -> list[Kept]:
        """See Engine."""
        ask = partial(self._client.retrieve, _name(shelf), list(ids), with_payload=list(PAYLOAD))
        found: Sequence[models.Record] = self._read(shelf, ask, [])
        return [Kept(str(p.id), p.payload or {}) for p in found]

    def nearest(self, shelf: Shelf, wanted: Wanted) -> list[Near]:
        """See Engine."""
        return self._read(shelf, lambda: self._nearest(shelf, wanted), [])

    def _nearest(self, shelf: Shelf, wanted: Wanted) -> list[Near]:
        nearest_to: dict[str, Any]
        if isinstance(wanted.vector, SparseVector):
            nearest_to = {"query": _sparse(wanted.vector), "using": VECTOR}
        else:
            self._index_fields(shelf, wanted.where)
            params = models.SearchParams(exact=wanted.exact, hnsw_ef=LOOKED_AT)
            nearest_to = {"query": wanted.vector.tolist(), "search_params": params}
        answer = self._client.query_points(
            _name(shelf),
            limit=wanted.limit,
            query_filter=FILTERS.build(wanted.where, wanted.among),
            with_payload=list(NEAR_PAYLOAD),
            **nearest_to,
        )
        return [Near(str(p.id), p.score, p.payload or {}) for p in answer.points]

    def count(self, shelf: Shelf) -> int:
        """See Engine."""
        return self._read(shelf, lambda: self._client.count(_name(shelf), exact=True).count, 0)

    def state(self, shelf: Shelf) -> State:
        """See Engine. The server builds its index by itself; yellow is its word for being at it."""
        info = self._read(shelf, partial(self._client.get_collection, _name(shelf)), None)
        if info is None:
            return State()
        busy = info.status is models.CollectionStatus.YELLOW
        return State(info.points_count or 0, info.indexed_vectors_count or 0, busy)

    def optimize(self, shelf: Shelf) -> bool:
        """See Engine. The server does it by itself."""
        return False

    def snapshot(self, folder: Path, meanwhile: Callable[[], None]) -> bool:
        """See Engine. The server makes snapshots of its own."""
        meanwhile()
        return False

    def drop(self, shelf: Shelf) -> None:
        """See Engine."""
        self._forget(shelf)
        with _translated():
            self._client.delete_collection(_name(shelf))

    def aside(self) -> list[str]:
        """See Engine. The server keeps what is its own."""
        return []

    def close(self) -> None:
        """See Engine."""
        self._client.close()

    def _read(self, shelf: Shelf, ask: Callable[[], T], empty: T) -> T:
        """Return what is asked of a shelf, `empty` where it is not there, or no longer."""
        with _translated():
            if shelf not in self._known:
                if not self._client.collection_exists(_name(shelf)):
                    return empty
                self._known.add(shelf)
            try:
                return ask()
            except UnexpectedResponse as exc:
                if exc.status_code != GONE:
                    raise
                self._forget(shelf)
                return empty

    def _forget(self, shelf: Shelf) -> None:
        """Forget what was known of a shelf, which another process may have dropped."""
        self._known.discard(shelf)
        self._indexed = {pair: at for pair, at in self._indexed.items() if pair[0] != shelf}

    def _scroll(self, shelf: Shelf, wanted: models.Filter | None) -> Iterator[Kept]:
        nothing: tuple[list[models.Record], Any] = ([], None)
        offset: Any = None
        while True:
            ask = partial(
                self._client.scroll,
                _name(shelf),
                scroll_filter=wanted,
                limit=MANY,
                offset=offset,
                with_payload=list(PAYLOAD),
            )
            page, offset = self._read(shelf, ask, nothing)
            yield from (Kept(str(p.id), p.payload or {}) for p in page)
            if offset is None:
                return

    def _index_fields(self, shelf: Shelf, conditions: Sequence[Condition]) -> None:
        """Index what is filtered by, the first time: without, each point's payload is read."""
        name = _name(shelf)
        for condition in conditions:
            field, now = field_of(condition), time.monotonic()
            if now - self._indexed.get((shelf, field), -math.inf) > SURE_S:
                if field not in self._client.get_collection(name).payload_schema:
                    kind = INDEXES[kind_of(condition)]
                    self._client.create_payload_index(name, field, kind, wait=True)
                self._indexed[shelf, field] = now


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the client's errors into StoreRefused and StoreUnavailable."""
    try:
        yield
    except UnexpectedResponse as exc:
        if exc.status_code is not None and 400 <= exc.status_code < 500:
            raise StoreRefused(f"The Qdrant server does not take this: {exc}") from exc
        raise StoreUnavailable(f"The Qdrant server failed: {exc}") from exc
    except (ApiException, httpx.HTTPError, OSError) as exc:
        raise StoreUnavailable(f"The Qdrant server does not answer as it should: {exc}") from exc


def _name(shelf: Shelf) -> str:
    return PREFIXES[shelf.sort] + shelf.collection


def _config(dim: int | None) -> dict[str, Any]:
    if dim is None:
        params = models.SparseVectorParams(modifier=models.Modifier.IDF)
        return {"vectors_config": {}, "sparse_vectors_config": {VECTOR: params}}
    # Half the numbers' bytes; older servers know no smaller form.
    dense = models.VectorParams(
        size=dim, distance=models.Distance.COSINE, datatype=models.Datatype.FLOAT16
    )
    return {"vectors_config": dense}


def _sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=list(vector.indices), values=list(vector.weights))


def _point(row: Row) -> models.PointStruct:
    vector = row.vector
    if isinstance(vector, SparseVector):
        return models.PointStruct(id=row.id, vector={VECTOR: _sparse(vector)}, payload=row.payload)
    return models.PointStruct(id=row.id, vector=vector.tolist(), payload=row.payload)
