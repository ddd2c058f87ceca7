"""Qdrant Edge: the engine in-process, a shard a collection, owned by one process."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import qdrant_edge as qe

from common.errors import StoreRefused, StoreUnavailable
from common.vectors.base import Hit, Point, Region, Vector
from common.vectors.conditions import FilterFactory, field_of, kind_of
from common.vectors.filters import Condition

BATCH = 256
INDEXES: dict[str, qe.PayloadSchemaType | qe.IntegerIndexParams] = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.IntegerIndexParams(lookup=True, range=False),
    "float": qe.PayloadSchemaType.Float,
}
FILTERS = FilterFactory(
    filter=qe.Filter,
    field=qe.FieldCondition,
    value=qe.MatchValue,
    any_of=qe.MatchAny,
    range=qe.RangeFloat,
    has_id=lambda ids: qe.HasIdCondition(set(ids)),
)


@contextmanager
def translated() -> Iterator[None]:
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


class EdgeVectorStore:
    """A vector store in a folder. Safe to share between threads, not between processes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._shards: dict[str, qe.EdgeShard] = {}
        self._indexed: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        root.mkdir(parents=True, exist_ok=True)
        for folder in sorted(p for p in root.iterdir() if p.is_dir()):
            with translated():
                self._shards[folder.name] = qe.EdgeShard.load(str(folder))

    def ensure_collection(self, name: str, dim: int) -> None:
        """See VectorStore."""
        with self._lock, translated():
            if name in self._shards:
                return
            folder = self._root / name
            folder.mkdir()
            vectors = {"": qe.EdgeVectorParams(size=dim, distance=qe.Distance.Cosine)}
            shard = qe.EdgeShard.create(str(folder), qe.EdgeConfig(vectors=vectors))
            keyword = qe.PayloadSchemaType.Keyword
            shard.update(qe.UpdateOperation.create_field_index("image_id", keyword))
            self._shards[name] = shard

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

    def delete_image(self, collection: str, image_id: str) -> None:
        """See VectorStore."""
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

    def count(self, collection: str) -> int:
        """See VectorStore."""
        shard = self._shards.get(collection)
        if shard is None:
            return 0
        with translated():
            return shard.count(qe.CountRequest(exact=True))

    def delete_collection(self, name: str) -> None:
        """See VectorStore."""
        with self._lock, translated():
            shard = self._shards.pop(name, None)
            self._indexed = {pair for pair in self._indexed if pair[0] != name}
            if shard is not None:
                shard.close()
                shutil.rmtree(self._root / name)

    def close(self) -> None:
        """See VectorStore."""
        with self._lock, translated():
            for shard in self._shards.values():
                shard.close()
            self._shards.clear()


# Edge's Python binding turns True into 1 before it compares, so that no filter ever matches a
# truth value. Each is therefore kept a second time, as a word, in a list beside the others.
_FLAGS = "__flags"


def _flag(key: str, value: bool) -> str:
    return f"{key}={value}"


def with_flags(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload whose metadata has its truth values as words too."""
    metadata = payload["metadata"]
    flags = [_flag(key, value) for key, value in metadata.items() if isinstance(value, bool)]
    return {**payload, "metadata": {**metadata, _FLAGS: flags}} if flags else payload


def _point(point: Point) -> qe.Point:
    return qe.Point(point.id, point.vector.tolist(), with_flags(point.region.payload()))


def _region(payload: dict[str, Any] | None) -> Region:
    region = Region.from_payload(payload or {})
    metadata = {key: value for key, value in region.metadata.items() if key != _FLAGS}
    return replace(region, metadata=metadata)


def askable(condition: Condition) -> Condition:
    """Return a condition that Edge can compare: truth values by their words."""
    if condition.values and isinstance(condition.values[0], bool):
        return Condition(_FLAGS, values=(_flag(condition.key, condition.values[0]),))
    return condition
