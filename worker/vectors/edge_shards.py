"""What both stores in Qdrant Edge share: shards in a folder, one a collection, and filters."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as qe

from common.errors import StoreRefused, StoreUnavailable
from common.vectors.filters import Condition
from worker.vectors.conditions import FilterFactory

BATCH = 256
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


class EdgeShards:
    """Collections in a folder. Safe to share between threads, not between processes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._shards: dict[str, qe.EdgeShard] = {}
        self._lock = threading.Lock()
        root.mkdir(parents=True, exist_ok=True)
        for folder in sorted(p for p in root.iterdir() if p.is_dir()):
            with translated():
                self._shards[folder.name] = qe.EdgeShard.load(str(folder))

    def delete_image(self, collection: str, image_id: str) -> None:
        """Remove every point of an image."""
        shard = self._shards.get(collection)
        if shard is None:
            return
        with translated():
            one = FILTERS.of_images_except([image_id], [])
            shard.update(qe.UpdateOperation.delete_points_by_filter(one))
            shard.flush()

    def count(self, collection: str) -> int:
        """Return the number of points."""
        shard = self._shards.get(collection)
        if shard is None:
            return 0
        with translated():
            return shard.count(qe.CountRequest(exact=True))

    def delete_collection(self, name: str) -> None:
        """Remove a collection; an absent one is no error."""
        with self._lock, translated():
            shard = self._shards.pop(name, None)
            if shard is not None:
                shard.close()
                shutil.rmtree(self._root / name)

    def close(self) -> None:
        """Write everything down and release the folder."""
        with self._lock, translated():
            for shard in self._shards.values():
                shard.close()
            self._shards.clear()

    def _made(self, name: str, config: qe.EdgeConfig) -> qe.EdgeShard:
        """Return the collection's shard, made when it is not there."""
        with self._lock, translated():
            if name not in self._shards:
                folder = self._root / name
                folder.mkdir()
                shard = qe.EdgeShard.create(str(folder), config)
                keyword = qe.PayloadSchemaType.Keyword
                shard.update(qe.UpdateOperation.create_field_index("image_id", keyword))
                self._shards[name] = shard
            return self._shards[name]


# Edge's Python binding turns True into 1 before it compares, so that no filter ever matches a
# truth value. Each is therefore kept a second time, as a word, in a list beside the others.
FLAGS = "__flags"


def _flag(key: str, value: bool) -> str:
    return f"{key}={value}"


def with_flags(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload whose metadata has its truth values as words too."""
    metadata = payload["metadata"]
    flags = [_flag(key, value) for key, value in metadata.items() if isinstance(value, bool)]
    return {**payload, "metadata": {**metadata, FLAGS: flags}} if flags else payload


def askable(condition: Condition) -> Condition:
    """Return a condition that Edge can compare: truth values by their words."""
    if condition.values and isinstance(condition.values[0], bool):
        return Condition(FLAGS, values=(_flag(condition.key, condition.values[0]),))
    return condition
