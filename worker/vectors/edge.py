"""Qdrant Edge: the engine in-process, a shard a shelf, owned by one process."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import qdrant_edge as qe

from common.errors import StoreRefused, StoreUnavailable
from common.vectors.filters import Condition
from worker.vectors.conditions import FilterFactory, field_of, kind_of
from worker.vectors.edge_flags import askable, with_flags, without_flags
from worker.vectors.engine import Near, Row, Shelf, Sort, Wanted
from worker.vectors.words import VECTOR, SparseVector

BATCH = 256
FILTERS = FilterFactory(
    filter=qe.Filter,
    field=qe.FieldCondition,
    value=qe.MatchValue,
    any_of=qe.MatchAny,
    range=qe.RangeFloat,
    has_id=lambda ids: qe.HasIdCondition(set(ids)),
)
INDEXES: dict[str, qe.PayloadSchemaType | qe.IntegerIndexParams] = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.IntegerIndexParams(lookup=True, range=False),
    "float": qe.PayloadSchemaType.Float,
}


class Edge:
    """An engine in a folder. Safe to share between threads, not between processes."""

    def __init__(self, root: Path) -> None:
        """Open every shelf in the folder. Raises StoreUnavailable where another process has it."""
        self._root = root
        self._shards: dict[Shelf, qe.EdgeShard] = {}
        self._indexed: set[tuple[Shelf, str]] = set()
        self._lock = threading.Lock()
        for sort in Sort:
            home = root / sort.value
            home.mkdir(parents=True, exist_ok=True)
            for folder in sorted(path for path in home.iterdir() if path.is_dir()):
                with _translated():
                    self._shards[Shelf(sort, folder.name)] = qe.EdgeShard.load(str(folder))

    def make(self, shelf: Shelf, dim: int | None) -> None:
        """See Engine."""
        with self._lock, _translated():
            if shelf not in self._shards:
                folder = self._folder(shelf)
                folder.mkdir()
                shard = qe.EdgeShard.create(str(folder), _config(dim))
                keyword = qe.PayloadSchemaType.Keyword
                shard.update(qe.UpdateOperation.create_field_index("image_id", keyword))
                self._shards[shelf] = shard

    def write(self, shelf: Shelf, rows: Sequence[Row], *, all_of: Sequence[str] = ()) -> None:
        """See Engine."""
        shard = self._shards[shelf]
        with _translated():
            for start in range(0, len(rows), BATCH):
                batch = [_point(row) for row in rows[start : start + BATCH]]
                shard.update(qe.UpdateOperation.upsert_points(batch))
            if all_of:
                stale = FILTERS.of_images_except(all_of, [row.id for row in rows])
                shard.update(qe.UpdateOperation.delete_points_by_filter(stale))
            shard.flush()

    def delete_image(self, shelf: Shelf, image_id: str) -> None:
        """See Engine."""
        if shelf in self._shards:
            self.write(shelf, [], all_of=[image_id])

    def nearest(self, shelf: Shelf, wanted: Wanted) -> list[Near]:
        """See Engine."""
        shard = self._shards.get(shelf)
        if shard is None:
            return []
        conditions = [askable(condition) for condition in wanted.where]
        if isinstance(wanted.vector, SparseVector):
            query = qe.Query.Nearest(_sparse(wanted.vector), using=VECTOR)
            params = None
        else:
            self._index_fields(shelf, shard, conditions)
            query = qe.Query.Nearest(wanted.vector.tolist())
            params = qe.SearchParams(exact=wanted.exact)
        request = qe.QueryRequest(
            limit=wanted.limit,
            query=query,
            filter=FILTERS.build(conditions, wanted.image_id),
            params=params,
            with_payload=True,
        )
        with _translated():
            points = shard.query(request)
        return [Near(str(p.id), p.score, without_flags(p.payload or {})) for p in points]

    def count(self, shelf: Shelf) -> int:
        """See Engine."""
        shard = self._shards.get(shelf)
        if shard is None:
            return 0
        with _translated():
            return shard.count(qe.CountRequest(exact=True))

    def drop(self, shelf: Shelf) -> None:
        """See Engine."""
        with self._lock, _translated():
            shard = self._shards.pop(shelf, None)
            if shard is not None:
                shard.close()
                shutil.rmtree(self._folder(shelf))
        self._indexed = {pair for pair in self._indexed if pair[0] != shelf}

    def close(self) -> None:
        """See Engine."""
        with self._lock, _translated():
            for shard in self._shards.values():
                shard.close()
            self._shards.clear()

    def _folder(self, shelf: Shelf) -> Path:
        return self._root / shelf.sort.value / shelf.collection

    def _index_fields(
        self, shelf: Shelf, shard: qe.EdgeShard, conditions: Sequence[Condition]
    ) -> None:
        """Index what is filtered by, the first time: without, each point's payload is read."""
        for condition in conditions:
            field = field_of(condition)
            if (shelf, field) in self._indexed:
                continue
            with self._lock, _translated():
                if field not in shard.info().payload_schema:
                    kind = INDEXES[kind_of(condition)]
                    shard.update(qe.UpdateOperation.create_field_index(field, kind))
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
        if "WAL" in str(exc) and "WouldBlock" in str(exc):
            message = "The index is open in another process; only one search worker may own it."
        else:
            message = f"The embedded index failed: {exc}"
        raise StoreUnavailable(message) from exc


def _config(dim: int | None) -> qe.EdgeConfig:
    if dim is None:
        params = qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)
        return qe.EdgeConfig(sparse_vectors={VECTOR: params})
    return qe.EdgeConfig(vectors={"": qe.EdgeVectorParams(size=dim, distance=qe.Distance.Cosine)})


def _sparse(vector: SparseVector) -> qe.SparseVector:
    return qe.SparseVector(list(vector.indices), list(vector.weights))


def _point(row: Row) -> qe.Point:
    vector = row.vector
    if isinstance(vector, SparseVector):
        return qe.Point(row.id, {VECTOR: _sparse(vector)}, with_flags(row.payload))
    return qe.Point(row.id, vector.tolist(), with_flags(row.payload))
