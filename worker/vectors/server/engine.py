"""A Qdrant server (or cluster), through qdrant-client: a collection a shelf."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from common.errors import StoreUnavailable
from common.vectors.filters import Condition
from worker.vectors.conditions import FilterFactory, field_of, kind_of
from worker.vectors.engine import (
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
from worker.vectors.ids import first_of
from worker.vectors.server.errors import GONE, NoAnswer, translated
from worker.vectors.server.form import INDEXES, Form
from worker.vectors.words import VECTOR, SparseVector

log = logging.getLogger(__name__)
T = TypeVar("T")
BATCH = 256
MANY = 1000
"""Points read or removed in one call."""
TIMEOUT_S = 30
SURE_S = 60.0
"""How long a field with an index is taken to have it: a shelf may be dropped and made again."""
PAUSES_S = (0.1, 0.5)
"""Before what is read is asked for again."""
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


class Server:
    """An engine on a server; any number of processes may share it."""

    builds_itself = True

    def __init__(self, client: QdrantClient, form: Form | None = None) -> None:
        self._client = client
        self._form = form or Form()
        # What was seen last. Other processes make and drop shelves, too.
        self._known: set[Shelf] = set()
        self._indexed: dict[tuple[Shelf, str], float] = {}

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: int = TIMEOUT_S,
        form: Form | None = None,
    ) -> Server:
        """Connect to the server at `url`. Raises StoreUnavailable when it does not answer."""
        with translated():
            client = QdrantClient(
                url=url, api_key=api_key, timeout=timeout_s, check_compatibility=False
            )
            client.get_collections()
        return cls(client, form)

    def make(self, shelf: Shelf, dim: int | None) -> None:
        """See Engine."""
        name = _name(shelf)
        with translated():
            there = self._client.collection_exists(name)
            if there and shelf in self._known:
                return
            if not there:
                self._forget(shelf)
                try:
                    self._client.create_collection(name, **self._form.collection(dim))
                except ApiException:
                    if not self._client.collection_exists(name):  # else: a peer was faster
                        raise
            # Not only where it was made: whoever made it may have died before this.
            for field, kind in self._form.indexes(shelf.sort).items():
                self._client.create_payload_index(name, field, kind, wait=True)
            self._known.add(shelf)

    def write(self, shelf: Shelf, rows: Sequence[Row]) -> None:
        """See Engine."""
        # A call is carried out by each shard for itself, and may fail on one of them. The first
        # points lead to the others, so they are there before them.
        leading = [row for row in rows if _leads(row.id)]
        following = [row for row in rows if not _leads(row.id)]
        for some in (leading, following):
            for start in range(0, len(some), BATCH):
                self._upsert(shelf, [_point(row) for row in some[start : start + BATCH]])

    def _upsert(self, shelf: Shelf, points: list[models.PointStruct]) -> None:
        with translated():
            try:
                self._client.upsert(_name(shelf), points, wait=True)
            except UnexpectedResponse as exc:
                if exc.status_code != GONE:
                    raise
                self._forget(shelf)
                raise StoreUnavailable("The collection was removed meanwhile.") from exc

    def delete(self, shelf: Shelf, ids: Sequence[str]) -> None:
        """See Engine. First points go after all others: see `write`."""
        leading = [name for name in ids if _leads(name)]
        following = [name for name in ids if not _leads(name)]
        for names in (following, leading):
            for start in range(0, len(names), MANY):
                some = models.PointIdsList(points=list(names[start : start + MANY]))
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
        self._index_fields(shelf, wanted.where)
        if isinstance(wanted.vector, SparseVector):
            nearest_to = {"query": _sparse(wanted.vector), "using": VECTOR}
        else:
            params = self._form.search(exact=wanted.exact)
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
        deferred = info.config.optimizer_config.indexing_threshold == 0
        return State(info.points_count or 0, info.indexed_vectors_count or 0, busy, deferred)

    def optimize(self, shelf: Shelf) -> bool:
        """See Engine. The server does it by itself."""
        return False

    def defer(self, shelf: Shelf, on: bool) -> bool:
        """See Engine."""
        least = 0 if on else self._form.unindexed_kb
        changed = models.OptimizersConfigDiff(indexing_threshold=least)
        ask = partial(self._client.update_collection, _name(shelf), optimizers_config=changed)
        return self._read(shelf, ask, False)

    def snapshot(self, folder: Path, meanwhile: Callable[[], None]) -> bool:
        """See Engine. The server makes snapshots of its own."""
        meanwhile()
        return False

    def drop(self, shelf: Shelf) -> None:
        """See Engine."""
        self._forget(shelf)
        with translated():
            self._client.delete_collection(_name(shelf))

    def aside(self) -> list[str]:
        """See Engine. The server keeps what is its own."""
        return []

    def close(self) -> None:
        """See Engine."""
        self._client.close()

    def _read(self, shelf: Shelf, ask: Callable[[], T], empty: T) -> T:
        """Return what is asked of a shelf, `empty` where it is not there, or no longer.

        It may be asked twice: a connection that breaks, or a node that restarts, fails no search.
        """
        for pause_s in PAUSES_S:
            try:
                return self._read_once(shelf, ask, empty)
            except NoAnswer:
                raise
            except StoreUnavailable as error:
                log.info("%s It is asked again.", error.message)
                time.sleep(pause_s)
        return self._read_once(shelf, ask, empty)

    def _read_once(self, shelf: Shelf, ask: Callable[[], T], empty: T) -> T:
        with translated():
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
        for pair in list(self._indexed):  # other threads add to them meanwhile
            if pair[0] == shelf:
                self._indexed.pop(pair, None)

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


def _leads(point_id: str) -> bool:
    """Tell whether a point is the first of its image's."""
    return point_id == first_of(point_id)


def _name(shelf: Shelf) -> str:
    return PREFIXES[shelf.sort] + shelf.collection


def _sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=list(vector.indices), values=list(vector.weights))


def _point(row: Row) -> models.PointStruct:
    vector = row.vector
    if isinstance(vector, SparseVector):
        return models.PointStruct(id=row.id, vector={VECTOR: _sparse(vector)}, payload=row.payload)
    return models.PointStruct(id=row.id, vector=vector.tolist(), payload=row.payload)
