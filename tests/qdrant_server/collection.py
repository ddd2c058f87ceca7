"""One collection: what it was made with, and its points in a shard of Qdrant Edge."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as qe
from qdrant_client.http import models

from tests.qdrant_server import translation
from tests.qdrant_server.errors import Refused, WrongInput

MADE_OF = "collection.json"
SCHEMA = "fields.json"


class Collection:
    """Points in a folder. What is written is on disk when a call returns; calls come in turn."""

    def __init__(self, folder: Path) -> None:
        """Open what lies in the folder."""
        self._folder = folder
        self._lock = threading.RLock()
        self.made_of = models.CreateCollection(**_read(folder / MADE_OF))
        self.fields: dict[str, Any] = _read(folder / SCHEMA)
        self._shard = qe.EdgeShard.load(str(folder / "shard"))
        self._operations = 0
        self._builder: threading.Thread | None = None

    @classmethod
    def make(cls, folder: Path, asked: models.CreateCollection) -> Collection:
        """Make an empty one; its folder has its name when it is whole."""
        made = folder.with_name(f".new-{folder.name}")
        shutil.rmtree(made, ignore_errors=True)
        (made / "shard").mkdir(parents=True)
        with _refusing():
            shard = qe.EdgeShard.create(str(made / "shard"), translation.config(asked))
            shard.flush()
            shard.close()
        _write(made / MADE_OF, asked.model_dump(mode="json", exclude_none=True))
        _write(made / SCHEMA, {})
        made.rename(folder)
        return cls(folder)

    def remove(self) -> None:
        """Remove it with its folder."""
        with self._lock:
            self._shard.close()
            gone = self._folder.with_name(f".gone-{self._folder.name}-{id(self)}")
            self._folder.rename(gone)
            shutil.rmtree(gone)

    def close(self) -> None:
        """Write everything down."""
        with self._lock:
            self._shard.close()

    def upsert(self, asked: models.PointsList) -> models.UpdateResult:
        """Write points over those of equal ids: all of them, or none where one is refused."""
        sizes = translation.dense_vectors(self.made_of)
        with _refusing():
            points = [translation.point(one) for one in asked.points]
            for one in asked.points:
                _check_sizes(one.vector, sizes)
        return self._update(qe.UpdateOperation.upsert_points(points))

    def delete(self, asked: models.PointIdsList) -> models.UpdateResult:
        """Remove points; absent ones are no error."""
        with _refusing():
            operation = qe.UpdateOperation.delete_points(list(asked.points))
        return self._update(operation)

    def index(self, asked: models.CreateFieldIndex) -> models.UpdateResult:
        """Index a field of the payload; one of another kind takes the place of the old one."""
        kind = translation.index(asked.field_schema)
        told = asked.model_dump(mode="json", exclude_none=True)["field_schema"]
        with self._lock:
            if self.fields.get(asked.field_name) != told:
                if asked.field_name in self.fields:
                    self._update(qe.UpdateOperation.delete_field_index(asked.field_name))
                self._update(qe.UpdateOperation.create_field_index(asked.field_name, kind))
                self.fields[asked.field_name] = told
                _write(self._folder / SCHEMA, self.fields)
        return self._told()

    def query(self, asked: models.QueryRequest) -> models.QueryResponse:
        """Return the points nearest to a vector."""
        with _refusing():
            request = translation.query(asked)
            with self._lock:
                found = self._shard.query(request)
        points = [
            models.ScoredPoint(
                id=p.id, version=p.version, score=p.score, payload=_payload(p.payload)
            )
            for p in found
        ]
        return models.QueryResponse(points=points)

    def scroll(self, asked: models.ScrollRequest) -> models.ScrollResult:
        """Return points by their ids, a page of them."""
        with _refusing():
            request = qe.ScrollRequest(
                offset=asked.offset,
                limit=10 if asked.limit is None else asked.limit,
                filter=translation.filters(asked.filter),
                with_payload=_asked(asked.with_payload),
                with_vector=bool(asked.with_vector),
            )
            with self._lock:
                page, after = self._shard.scroll(request)
        return models.ScrollResult(points=_records(page), next_page_offset=after)

    def retrieve(self, asked: models.PointRequest) -> list[models.Record]:
        """Return those of the points that are there."""
        with _refusing(), self._lock:
            found = self._shard.retrieve(
                list(asked.ids),
                with_payload=_asked(asked.with_payload),
                with_vector=bool(asked.with_vector),
            )
        return _records(found)

    def count(self, asked: models.CountRequest) -> models.CountResult:
        """Return how many points there are, that meet a filter."""
        with _refusing():
            request = qe.CountRequest(filter=translation.filters(asked.filter))
            with self._lock:
                return models.CountResult(count=self._shard.count(request))

    def configure(self, asked: models.UpdateCollection) -> bool:
        """Change from how many vectors on an index is built; nothing else can be changed here."""
        given = asked.model_dump(exclude_none=True)
        if given.keys() - {"optimizers_config"}:
            raise Refused("The stand-in changes a collection's optimizers only.")
        with self._lock:
            former = self.made_of.optimizers_config or models.OptimizersConfigDiff()
            changed = former.model_copy(update=given.get("optimizers_config", {}))
            self.made_of = self.made_of.model_copy(update={"optimizers_config": changed})
            _write(self._folder / MADE_OF, self.made_of.model_dump(mode="json", exclude_none=True))
            self._shard.flush()
            self._shard.close()
            self._shard = qe.EdgeShard.load(
                str(self._folder / "shard"), translation.config(self.made_of)
            )
        self._build()
        return True

    def info(self) -> dict[str, Any]:
        """Return what a collection is made of and how far its index reaches."""
        with self._lock:
            info = self._shard.info()
        building = self._builder is not None and self._builder.is_alive()
        return {
            "status": "yellow" if building else "green",
            "optimizer_status": "ok",
            "points_count": info.points_count,
            "indexed_vectors_count": info.indexed_vectors_count,
            "segments_count": info.segments_count,
            "config": _config(self.made_of),
            "payload_schema": {
                name: {"data_type": told if isinstance(told, str) else told["type"], "points": 0}
                for name, told in self.fields.items()
            },
        }

    def lacking(self, asked: models.Filter | None) -> list[str]:
        """Return the fields that a filter looks at and that have no index."""
        return [field for field in translation.fields(asked) if field not in self.fields]

    def _update(self, operation: qe.UpdateOperation) -> models.UpdateResult:
        with _refusing(), self._lock:
            self._shard.update(operation)
            self._shard.flush()
            self._operations += 1
        self._build()
        return self._told()

    def _told(self) -> models.UpdateResult:
        return models.UpdateResult(
            operation_id=self._operations, status=models.UpdateStatus.COMPLETED
        )

    def _build(self) -> None:
        """Build the index in the background where more is pending than is to be."""
        least = translation.indexing_threshold(self.made_of)
        sizes = translation.dense_vectors(self.made_of)
        with self._lock:
            info = self._shard.info()
            pending = (info.points_count - info.indexed_vectors_count) * sum(
                params.size * 4 for params in sizes.values()
            )
            idle = self._builder is None or not self._builder.is_alive()
            if least and pending > least * 1024 and idle:
                self._builder = threading.Thread(target=self._optimize, daemon=True)
                self._builder.start()

    def _optimize(self) -> None:
        with self._lock:
            self._shard.optimize()
            self._shard.flush()


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what Edge raises, bare Exceptions and panics, into the server's refusals."""
    try:
        yield
    except Refused:
        raise
    except Exception as exc:
        raise WrongInput(str(exc)) from exc


def _check_sizes(vector: Any, sizes: dict[str, models.VectorParams]) -> None:
    """Refuse a vector of another size before any point of the request is written."""
    named = vector if isinstance(vector, dict) else {"": vector}
    for name, one in named.items():
        if isinstance(one, list):
            if name not in sizes:
                raise WrongInput(f"Not existing vector name error: {name}")
            if len(one) != sizes[name].size:
                raise WrongInput(
                    f"Vector dimension error: expected dim: {sizes[name].size}, got {len(one)}"
                )


def _asked(with_payload: Any) -> Any:
    return True if with_payload is None else translation.payload_wanted(with_payload)


def _payload(payload: dict[str, Any] | None) -> dict[str, Any]:
    return translation.without_flags(payload or {})


def _records(points: Sequence[qe.Record]) -> list[models.Record]:
    return [models.Record(id=p.id, payload=_payload(p.payload)) for p in points]


def _config(made_of: models.CreateCollection) -> dict[str, Any]:
    """Return how a server tells a collection's form, with its own defaults filled in."""
    asked = made_of.model_dump(mode="json", exclude_none=True)
    hnsw = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
    optimizers = {
        "default_segment_number": 0,
        "flush_interval_sec": 5,
        "indexing_threshold": 10_000,
    }
    params = {"shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1}
    return {
        "params": {
            **{key: asked.get(key, usual) for key, usual in params.items()},
            "on_disk_payload": asked.get("on_disk_payload", True),
            "vectors": asked.get("vectors", {}),
            "sparse_vectors": asked.get("sparse_vectors"),
        },
        "hnsw_config": hnsw | asked.get("hnsw_config", {}),
        "optimizer_config": optimizers | asked.get("optimizers_config", {}),
        "quantization_config": asked.get("quantization_config"),
    }


def _read(file: Path) -> Any:
    return json.loads(file.read_text())


def _write(file: Path, told: Any) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(told))
    os.replace(fresh, file)
