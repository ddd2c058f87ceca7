"""Qdrant Edge: the engine in-process, a shard a shelf, owned by one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import qdrant_edge as qe

from common.disk import Disk, Use
from common.vectors.filters import Condition
from worker.vectors.conditions import FilterFactory, field_of, kind_of
from worker.vectors.edge import folders
from worker.vectors.edge.errors import translated
from worker.vectors.edge.flags import askable, with_flags
from worker.vectors.edge.opening import opened
from worker.vectors.edge.shelf import EdgeShelf, FieldKind
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

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        """Open every shelf in the folder, on a disk that is to have room left.

        What cannot be opened is set aside. Raises StoreUnavailable where another process has the
        folder, and DiskFull.
        """
        self._root = root
        self._disk = disk or Disk(root, 0)
        self._shelves: dict[Shelf, EdgeShelf] = {}
        self._indexed: set[tuple[Shelf, str]] = set()
        self._lock = threading.Lock()
        for sort in Sort:
            (root / sort.value).mkdir(parents=True, exist_ok=True)
        # The engine writes where it only opens, and a full disk would end the process.
        self._disk.check(Use.ANSWER)
        self._owner = folders.owned(root / Sort.REGIONS.value)
        try:
            for sort in Sort:
                for name, shelf in opened(root / sort.value).items():
                    self._shelves[Shelf(sort, name)] = shelf
        except BaseException:
            self.close()
            raise

    def shelf(self, shelf: Shelf) -> EdgeShelf:
        """Return a shelf that was made."""
        return self._shelves[shelf]

    def make(self, shelf: Shelf, dim: int | None) -> None:
        """See Engine."""
        with self._lock, translated():
            if shelf not in self._shelves:
                self._disk.check(Use.INDEX)
                folder = self._root / shelf.sort.value / shelf.collection
                self._shelves[shelf] = EdgeShelf.make(folder, dim)

    def write(self, shelf: Shelf, rows: Sequence[Row]) -> None:
        """See Engine."""
        self._disk.check(Use.INDEX)
        with translated():
            self._shelves[shelf].write([_point(row) for row in rows])

    def delete(self, shelf: Shelf, ids: Sequence[str]) -> None:
        """See Engine."""
        if ids and shelf in self._shelves:
            with translated():
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
        with translated():
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
        with translated():
            points = one.shard.query(request)
        return [Near(str(p.id), p.score, p.payload or {}) for p in points]

    def count(self, shelf: Shelf) -> int:
        """See Engine."""
        one = self._shelves.get(shelf)
        if one is None:
            return 0
        with translated():
            return one.shard.info().points_count

    def state(self, shelf: Shelf) -> State:
        """See Engine."""
        one = self._shelves.get(shelf)
        if one is None:
            return State()
        with translated():
            return one.state()

    def optimize(self, shelf: Shelf) -> bool:
        """See Engine."""
        one = self._shelves.get(shelf)
        if one is None:
            return False
        with translated():
            self._disk.check(Use.ACCEPT, folders.used_bytes(one.folder))
            return one.rebuild()

    def defer(self, shelf: Shelf, on: bool) -> bool:
        """See Engine. It indexes only when it is told to."""
        return False

    def snapshot(self, folder: Path, meanwhile: Callable[[], None]) -> bool:
        """See Engine."""
        with self._lock, ExitStack() as held:
            size = sum(folders.used_bytes(one.folder) for one in self._shelves.values())
            self._disk.check(Use.ACCEPT, size)
            for one in self._shelves.values():
                with translated():
                    held.enter_context(one.held())
            for shelf, one in self._shelves.items():
                folders.copied(one.folder, folder / shelf.sort.value / shelf.collection)
            meanwhile()
        return True

    def drop(self, shelf: Shelf) -> None:
        """See Engine."""
        with self._lock, translated():
            one = self._shelves.pop(shelf, None)
            if one is not None:
                one.close()
                folders.remove_all(one.folder)
        self._indexed = {pair for pair in self._indexed if pair[0] != shelf}

    def aside(self) -> list[str]:
        """See Engine."""
        homes = [self._root / sort.value for sort in Sort]
        return [f"{home.name}/{path.name}" for home in homes for path in folders.aside(home)]

    def close(self) -> None:
        """See Engine."""
        with self._lock, translated():
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
            with translated():
                page, offset = shard.scroll(request)
            yield from (Kept(str(point.id), point.payload or {}) for point in page)
            if offset is None:
                return

    def _index_fields(self, shelf: Shelf, one: EdgeShelf, conditions: Sequence[Condition]) -> None:
        """Index what is filtered by, the first time: without, each point's payload is read."""
        if not self._disk.has(Use.ANSWER):
            return
        for condition in conditions:
            field = field_of(condition)
            if (shelf, field) not in self._indexed:
                with translated():
                    one.index_field(field, INDEXES[kind_of(condition)])
                self._indexed.add((shelf, field))


def _sparse(vector: SparseVector) -> qe.SparseVector:
    return qe.SparseVector(list(vector.indices), list(vector.weights))


def _point(row: Row) -> qe.Point:
    vector = row.vector
    if isinstance(vector, SparseVector):
        return qe.Point(row.id, {VECTOR: _sparse(vector)}, with_flags(row.payload))
    return qe.Point(row.id, vector.tolist(), with_flags(row.payload))
