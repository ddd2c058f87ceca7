"""Qdrant Edge: the engine in-process, a shard a shelf, owned by one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import qdrant_edge as qe

from common.errors import StoreRefused, StoreUnavailable
from common.vectors.filters import Condition
from worker.vectors import edge_folders as folders
from worker.vectors.conditions import FilterFactory, field_of, kind_of
from worker.vectors.edge_flags import askable, with_flags
from worker.vectors.edge_shelf import EdgeShelf, FieldKind
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

MANY = 1000
"""Points read in one call."""
FILTERS = FilterFactory(
    filter=qe.Filter,
    field=qe.FieldCondition,
    value=qe.MatchValue,
    any_of=qe.MatchAny,
    range=qe.RangeFloat,
    has_id=lambda ids: qe.HasIdCondition(set(ids)),
)
INDEXES: dict[str, FieldKind] = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.IntegerIndexParams(lookup=True, range=False),
    "float": qe.PayloadSchemaType.Float,
}


class Edge:
    """An engine in a folder. Safe to share between threads, not between processes."""

    builds_itself = False

    def __init__(self, root: Path) -> None:
        """Open every shelf in the folder. Raises StoreUnavailable where another process has it."""
        self._root = root
        self._shelves: dict[Shelf, EdgeShelf] = {}
        self._indexed: set[tuple[Shelf, str]] = set()
        self._lock = threading.Lock()
        for sort in Sort:
            (root / sort.value).mkdir(parents=True, exist_ok=True)
        self._owner = folders.owned(root / Sort.REGIONS.value)
        for sort in Sort:
            for name, folder in folders.settled(root / sort.value).items():
                with _translated():
                    self._shelves[Shelf(sort, name)] = EdgeShelf.open(folder)

    def shelf(self, shelf: Shelf) -> EdgeShelf:
        """Return a shelf that was made."""
        return self._shelves[shelf]

    def make(self, shelf: Shelf, dim: int | None) -> None:
        """See Engine."""
        with self._lock, _translated():
            if shelf not in self._shelves:
                folder = self._root / shelf.sort.value / shelf.collection
                self._shelves[shelf] = EdgeShelf.make(folder, dim)

    def write(self, shelf: Shelf, rows: Sequence[Row]) -> None:
        """See Engine."""
        with _translated():
            self._shelves[shelf].write([_point(row) for row in rows])

    def delete(self, shelf: Shelf, ids: Sequence[str]) -> None:
        """See Engine."""
        if ids and shelf in self._shelves:
            with _translated():
                self._shelves[shelf].delete(ids)

    def of_images(self, shelf: Shelf, image_ids: Sequence[str]) -> list[Kept]:
        """See Engine."""
        return list(self._scroll(shelf, FILTERS.of_images(image_ids))) if image_ids else []

    def every(self, shelf: Shelf) -> Iterator[Kept]:
        """See Engine."""
        return self._scroll(shelf, None)

    def read(self, shelf: Shelf, ids: Sequence[str]) -> list[Kept]:
        """See Engine."""
        one = self._shelves.get(shelf)
        if one is None:
            return []
        with _translated():
            found = one.shard.retrieve(list(ids), with_payload=list(PAYLOAD), with_vector=False)
        return [Kept(str(point.id), point.payload or {}) for point in found]

    def nearest(self, shelf: Shelf, wanted: Wanted) -> list[Near]:
        """See Engine."""
        one = self._shelves.get(shelf)
        if one is None:
            return []
        conditions = [askable(condition) for condition in wanted.where]
        if isinstance(wanted.vector, SparseVector):
            query = qe.Query.Nearest(_sparse(wanted.vector), using=VECTOR)
            params = None
        else:
            self._index_fields(shelf, one, conditions)
            query = qe.Query.Nearest(wanted.vector.tolist())
            params = qe.SearchParams(exact=wanted.exact, hnsw_ef=LOOKED_AT)
        request = qe.QueryRequest(
            limit=wanted.limit,
            query=query,
            filter=FILTERS.build(conditions, wanted.among),
            params=params,
            with_payload=list(NEAR_PAYLOAD),
        )
        with _translated():
            points = one.shard.query(request)
        return [Near(str(p.id), p.score, p.payload or {}) for p in points]

    def count(self, shelf: Shelf) -> int:
        """See Engine."""
        one = self._shelves.get(shelf)
        if one is None:
            return 0
        with _translated():
            return one.shard.count(qe.CountRequest(exact=True))

    def state(self, shelf: Shelf) -> State:
        """See Engine."""
        one = self._shelves.get(shelf)
        if one is None:
            return State()
        with _translated():
            return one.state()

    def optimize(self, shelf: Shelf) -> bool:
        """See Engine."""
        one = self._shelves.get(shelf)
        if one is None:
            return False
        with _translated():
            return one.rebuild()

    def snapshot(self, folder: Path, meanwhile: Callable[[], None]) -> bool:
        """See Engine."""
        with self._lock, ExitStack() as held:
            for one in self._shelves.values():
                with _translated():
                    held.enter_context(one.held())
            for shelf, one in self._shelves.items():
                folders.copied(one.folder, folder / shelf.sort.value / shelf.collection)
            meanwhile()
        return True

    def drop(self, shelf: Shelf) -> None:
        """See Engine."""
        with self._lock, _translated():
            one = self._shelves.pop(shelf, None)
            if one is not None:
                one.close()
                folders.remove(one.folder)
        self._indexed = {pair for pair in self._indexed if pair[0] != shelf}

    def close(self) -> None:
        """See Engine."""
        with self._lock, _translated():
            for one in self._shelves.values():
                one.close()
            self._shelves.clear()
            self._owner.close()

    def _scroll(self, shelf: Shelf, wanted: qe.Filter | None) -> Iterator[Kept]:
        one = self._shelves.get(shelf)
        if one is None:
            return
        shard, offset = one.shard, None
        while True:
            request = qe.ScrollRequest(
                offset=offset, limit=MANY, filter=wanted, with_payload=list(PAYLOAD)
            )
            with _translated():
                page, offset = shard.scroll(request)
            yield from (Kept(str(point.id), point.payload or {}) for point in page)
            if offset is None:
                return

    def _index_fields(self, shelf: Shelf, one: EdgeShelf, conditions: Sequence[Condition]) -> None:
        """Index what is filtered by, the first time: without, each point's payload is read."""
        for condition in conditions:
            field = field_of(condition)
            if (shelf, field) not in self._indexed:
                with _translated():
                    one.index_field(field, INDEXES[kind_of(condition)])
                self._indexed.add((shelf, field))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the engine's errors (it raises bare Exception) into StoreUnavailable."""
    try:
        yield
    except StoreUnavailable:
        raise
    except (TypeError, ValueError, OverflowError) as exc:  # it cannot hold or compare a value
        raise StoreRefused(f"The embedded index does not take this: {exc}") from exc
    except Exception as exc:
        raise StoreUnavailable(f"The embedded index failed: {exc}") from exc


def _sparse(vector: SparseVector) -> qe.SparseVector:
    return qe.SparseVector(list(vector.indices), list(vector.weights))


def _point(row: Row) -> qe.Point:
    vector = row.vector
    if isinstance(vector, SparseVector):
        return qe.Point(row.id, {VECTOR: _sparse(vector)}, with_flags(row.payload))
    return qe.Point(row.id, vector.tolist(), with_flags(row.payload))
