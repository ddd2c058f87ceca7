"""One shelf of Qdrant Edge's: a shard, what is written to it, and how it is rebuilt meanwhile."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import qdrant_edge as qe

from worker.vectors.edge import folders
from worker.vectors.edge.config import new_shard
from worker.vectors.engine import State

log = logging.getLogger(__name__)

BATCH = 256
FEW = 2000
"""Points written meanwhile that may be copied while nobody else can write."""
IMAGE_ID = "image_id"
PointId = int | UUID | str
FieldKind = qe.PayloadSchemaType | qe.IntegerIndexParams


class EdgeShelf:
    """A shard that may be replaced by a rebuilt one. Readers take `shard` once and go on with it.

    Writers come one after the other.
    """

    def __init__(self, folder: Path, shard: qe.EdgeShard) -> None:
        self.folder = folder
        self.shard = shard
        self._lock = threading.RLock()
        self._touched: set[str] | None = None  # what is written while the shard is rebuilt
        self._fields: dict[str, FieldKind] = {}
        self._builder: subprocess.Popen[bytes] | None = None
        self._closed = False
        # The engine's own count of what is indexed has deleted points among it.
        info = shard.info()
        self._pending = max(0, info.points_count - info.indexed_vectors_count)

    @classmethod
    def open(cls, folder: Path) -> EdgeShelf:
        """Open the shard in the folder, and read a point: some damage shows only then."""
        shard = qe.EdgeShard.load(str(folder))
        shard.scroll(qe.ScrollRequest(limit=1, with_payload=True, with_vector=True))
        return cls(folder, shard)

    @classmethod
    def make(cls, folder: Path, dim: int | None) -> EdgeShelf:
        """Make an empty shard: of embeddings of `dim` numbers, of words for None.

        It is opened again under its name: an open one goes on writing where it was made.
        """
        made = folders.making(folder)
        made.mkdir()
        try:
            shard = qe.EdgeShard.create(str(made), new_shard(dim))
            field = qe.UpdateOperation.create_field_index(IMAGE_ID, qe.PayloadSchemaType.Keyword)
            shard.update(field)
            shard.flush()
            shard.close()
            folders.give_name(made, folder)
        except Exception:
            folders.remove(made)
            raise
        return cls.open(folder)

    def write(self, points: Sequence[qe.Point]) -> None:
        """Write points over those of equal ids; they are on disk when this returns."""
        with self._lock:
            for start in range(0, len(points), BATCH):
                _upsert(self.shard, points[start : start + BATCH])
            self._pending += len(points)
            self._note(str(point.id) for point in points)
            self.shard.flush()

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points, in that order; absent ones are no error."""
        with self._lock:
            for start in range(0, len(ids), BATCH):
                some: list[PointId] = list(ids[start : start + BATCH])
                self.shard.update(qe.UpdateOperation.delete_points(some))
            self._note(ids)
            self.shard.flush()

    def index_field(self, field: str, kind: FieldKind) -> None:
        """Index a field of the payload, unless it is."""
        with self._lock:
            if field not in self.shard.info().payload_schema:
                self.shard.update(qe.UpdateOperation.create_field_index(field, kind))
                self._fields[field] = kind

    def state(self) -> State:
        """Return how far the index reaches."""
        points = self.shard.info().points_count
        pending = min(points, self._pending)
        return State(points, points - pending, optimizing=self._touched is not None)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have everything written down, and nothing more written meanwhile."""
        with self._lock:
            self.shard.flush()
            yield

    def close(self) -> None:
        """Write everything down; a rebuild that is under way is given up."""
        self._closed = True
        if self._builder is not None:
            self._builder.kill()
        with self._lock:
            self.shard.close()

    def rebuild(self, build: Callable[[Path], subprocess.Popen[bytes]] | None = None) -> bool:
        """Index what is pending, in a process of its own; tell whether it came to an end.

        The shard is copied, the copy optimised, what was written meanwhile copied after it, and the
        copy put in the shard's place. Killed at any moment, the shard is as it was, or the copy is
        whole and counts.
        """
        target = folders.following(self.folder)
        try:
            with self._lock:
                self._touched = set()
                self.shard.flush()
                folders.copied(self.folder, target)
            self._builder = (build or _build)(target)
            if self._builder.wait() != 0 or self._closed:
                log.log(
                    logging.INFO if self._closed else logging.ERROR,
                    "rebuilding the index of %s was given up (%d)",
                    self.folder.name,
                    self._builder.returncode,
                )
                return False
            return self._replace(target)
        finally:
            self._touched, self._builder = None, None
            if self.folder != target:
                folders.remove(target)

    def _replace(self, target: Path) -> bool:
        """Put the rebuilt shard in this one's place, unless this one was closed meanwhile."""
        fresh = qe.EdgeShard.load(str(target))
        info, copied = fresh.info(), 0
        while len(self._touched or ()) > FEW:
            with self._lock:
                some, self._touched = self._touched or set(), set()
            copied += self._copy(some, fresh)
        with self._lock:
            if self._closed:
                return False
            copied += self._copy(self._touched or set(), fresh)
            for field in self.shard.info().payload_schema.keys() - fresh.info().payload_schema:
                fresh.update(qe.UpdateOperation.create_field_index(field, self._fields[field]))
            fresh.flush()
            folders.count(target)
            self._pending = max(0, info.points_count - info.indexed_vectors_count) + copied
            former, self.folder, self.shard = self.folder, target, fresh
        folders.remove(former)  # a search that still reads the old shard keeps its files mapped
        return True

    def _copy(self, ids: set[str], fresh: qe.EdgeShard) -> int:
        """Make points of the rebuilt shard what they are in this one; return how many there are."""
        every, copied = sorted(ids), 0
        for start in range(0, len(every), BATCH):
            some: list[PointId] = list(every[start : start + BATCH])
            there = self.shard.retrieve(some, with_payload=True, with_vector=True)
            _upsert(fresh, [qe.Point(p.id, p.vector or [], p.payload or {}) for p in there])
            copied += len(there)
            found = {str(point.id) for point in there}
            gone = [name for name in some if name not in found]
            if gone:
                fresh.update(qe.UpdateOperation.delete_points(gone))
        return copied

    def _note(self, ids: Iterable[str]) -> None:
        if self._touched is not None:
            self._touched.update(ids)


def _upsert(shard: qe.EdgeShard, points: Sequence[qe.Point]) -> None:
    if not points:
        return
    shard.update(qe.UpdateOperation.upsert_points(list(points)))
    bare = [point.id for point in points if not point.payload]
    if bare:  # an empty payload takes 128 bytes until it is cleared
        shard.update(qe.UpdateOperation.clear_payload(bare))


def _build(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "worker.vectors.edge.build", str(folder)])
