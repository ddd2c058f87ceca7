"""The list of images and collections, in Redis: what is indexed, with which encoder.

Vectors live in Qdrant, bytes in the image store; this is the record that joins them. An image has
a record from the moment its bytes are stored (`indexed_at` None) and is listed once its regions
are written. Deleting the record first makes a running index task drop the image.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from common import catalogue_scripts as scripts
from common.errors import EncoderMismatch, NotFound
from common.paging import Page, Place, read
from common.redis import Client, translated

_COLLECTIONS = "needle:collections"
_DELETING = "needle:deleting"
_INDEXES = "needle:indexes"
_ASIDE = "needle:aside"
MOST_PATHS_BYTES = 1 << 14
"""So many bytes of paths are kept of an image that is posted under ever new ones."""


@dataclass(frozen=True)
class ImageRecord:
    """An image: sizes in pixels of the upright image and bytes of the file; times in Unix seconds.

    `recipe` names the models and options that made its regions, `options` are the latter as a
    request says them. `paths` are those that it was posted under, in that order; they stand beside
    the record, which others may be writing.
    """

    image_id: str
    collection: str
    filename: str
    media_type: str
    width: int
    height: int
    bytes: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    regions: int = 0
    indexed_at: float | None = None
    recipe: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    paths: Sequence[str] = ()

    @property
    def path(self) -> str:
        """The path that it was posted under first; in older records its name alone."""
        return self.paths[0] if self.paths else self.filename

    def indexed(self, *, regions: int, at: float, recipe: str) -> ImageRecord:
        """Return the record of the image with its regions written."""
        return replace(self, regions=regions, indexed_at=at, recipe=recipe)


@dataclass(frozen=True)
class Collection:
    """A collection and the encoder that it is bound to."""

    name: str
    encoder: str
    dim: int


@dataclass(frozen=True)
class IndexState:
    """How far the index of a collection's regions reaches.

    `pending` regions are compared one by one; 0 where all are, because they are few. `optimizing`
    tells whether the engine is at work on it, `deferred` that it is told not to be.
    """

    pending: int
    optimizing: bool
    deferred: bool = False


class Catalogue:
    """Images and collections, as every process sees them."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._mark = redis.register_script(scripts.MARK_INDEXED)
        self._remove = redis.register_script(scripts.REMOVE)
        self._replace = redis.register_script(scripts.REPLACE)
        self._claim = redis.register_script(scripts.CLAIM)
        self._release = redis.register_script(scripts.RELEASE)
        self._regions = redis.register_script(scripts.COUNT_REGIONS)
        self._note_paths = redis.register_script(scripts.NOTE_PATHS)

    def add(self, records: Sequence[ImageRecord]) -> None:
        """Record images whose bytes are stored; a known image keeps its record, and gains paths."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for record in records:
                pipe.hsetnx(_records(record.collection), record.image_id, _dump(record))
            pipe.execute()
            self._note(records)

    def claim(self, record: ImageRecord, job_id: str) -> None:
        """Record an image whose bytes are about to be stored; the job wants it to be indexed.

        A known image keeps its record, and gains its paths.
        """
        with translated():
            args = [job_id, record.image_id, _dump(record)]
            self._claim(keys=_keys(record.collection), args=args)
            self._note([record])

    def _note(self, records: Sequence[ImageRecord]) -> None:
        for record in records:
            args = [text for path in record.paths for text in (record.image_id, path)]
            if args:
                self._note_paths(keys=_keys(record.collection), args=[MOST_PATHS_BYTES, *args])

    def release(self, collection: str, image_ids: Sequence[str], job_id: str) -> list[str]:
        """Forget images that were never indexed and that no other job wants; return their ids."""
        if not image_ids:
            return []
        with translated():
            return list(self._release(keys=_keys(collection), args=[job_id, *image_ids]))

    def claimed(self, collection: str, job_id: str) -> list[str]:
        """Return the images that a job wants and that are not indexed; a scan of all such."""
        with translated():
            claims = self._redis.hscan_iter(_claims(collection), count=1000)
            return [name for name, jobs in claims if job_id in jobs.split(";")]

    def find(self, collection: str, image_ids: Sequence[str]) -> dict[str, ImageRecord]:
        """Return the records of those images that are known."""
        if not image_ids:
            return {}
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hmget(_records(collection), list(image_ids))
            pipe.hmget(_paths(collection), list(image_ids))
            found, paths = pipe.execute()
        records = [_load(text, told) for text, told in zip(found, paths, strict=True) if text]
        return {record.image_id: record for record in records}

    def get(self, collection: str, image_id: str) -> ImageRecord:
        """Return one image's record. Raises NotFound."""
        found = self.find(collection, [image_id])
        if image_id not in found:
            raise NotFound(f"The collection '{collection}' has no image '{image_id}'.")
        return found[image_id]

    def mark_indexed(self, collection: str, records: Iterable[ImageRecord]) -> set[str]:
        """List images as indexed and return the ids of those that were not deleted meanwhile."""
        args: list[str | float] = []
        for record in records:
            args += [record.image_id, _dump(record), record.indexed_at or 0.0]
        if not args:
            return set()
        with translated():
            return set(self._mark(keys=_keys(collection), args=args))

    def doubt(self, collection: str, image_ids: Sequence[str]) -> None:
        """Forget what made the images' regions, so that an index job makes them again.

        They stay listed. An image that is indexed or deleted meanwhile is left alone.
        """
        if not image_ids:
            return
        with translated():
            found = self._redis.hmget(_records(collection), list(image_ids))
            for image_id, text in zip(image_ids, found, strict=True):
                if text:
                    args = [image_id, text, _dump(replace(_load(text), recipe=""))]
                    self._replace(keys=_keys(collection), args=args)

    def page(
        self,
        collection: str,
        place: Place,
        limit: int,
        *,
        keep: Callable[[ImageRecord], bool] | None = None,
    ) -> Page[ImageRecord]:
        """Return indexed images that `keep` wants, newest first."""

        def load(image_ids: Sequence[str]) -> dict[str, ImageRecord]:
            return self.find(collection, image_ids)

        with translated():
            key = _listing(collection)
            return read(self._redis, key, load, place=place, limit=limit, keep=keep)

    def every(self, collection: str) -> Iterator[ImageRecord]:
        """Yield every image that has a record, indexed or not, in no order."""
        with translated():
            paths = self._redis.hgetall(_paths(collection))
            for name, text in self._redis.hscan_iter(_records(collection), count=1000):
                yield _load(text, paths.get(name))

    def count(self, collection: str) -> int:
        """Return how many images are indexed."""
        with translated():
            return int(self._redis.zcard(_listing(collection)))

    def count_regions(self, collection: str) -> int:
        """Return how many regions its indexed images have."""
        with translated():
            return int(self._regions(keys=_keys(collection)))

    def remove(self, collection: str, image_id: str) -> None:
        """Forget an image; its points and files are the caller's."""
        with translated():
            self._remove(keys=_keys(collection), args=[image_id])

    def collections(self) -> list[Collection]:
        """Return every collection, by name."""
        with translated():
            raw: dict[str, str] = self._redis.hgetall(_COLLECTIONS)
        return [Collection(name, **json.loads(text)) for name, text in sorted(raw.items())]

    def collection(self, name: str) -> Collection | None:
        """Return one collection, None when nothing was ever indexed into it."""
        with translated():
            text = self._redis.hget(_COLLECTIONS, name)
        return Collection(name, **json.loads(text)) if text else None

    def bind(self, name: str, *, encoder: str, dim: int) -> Collection:
        """Bind a new collection to an encoder. Raises EncoderMismatch if it has another."""
        with translated():
            value = json.dumps({"encoder": encoder, "dim": dim})
            self._redis.hsetnx(_COLLECTIONS, name, value)
        bound = self.collection(name) or Collection(name, encoder, dim)
        check_encoder(bound, encoder)
        return bound

    def rebind(self, name: str, *, encoder: str, dim: int) -> None:
        """Bind a collection to another encoder; that no embedding of the old one is left is the
        caller's."""
        with translated():
            value = json.dumps({"encoder": encoder, "dim": dim})
            self._redis.hset(_COLLECTIONS, name, value)

    def holds(self, name: str) -> bool:
        """Tell whether a collection is bound, or has images that are not indexed yet."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hexists(_COLLECTIONS, name)
            pipe.exists(_records(name))
            return any(pipe.execute())

    def tell_index(self, name: str, state: IndexState) -> None:
        """Take down how far a collection's index reaches: only its owner knows."""
        with translated():
            self._redis.hset(_INDEXES, name, json.dumps(asdict(state)))

    def index_state(self, name: str) -> IndexState | None:
        """Return how far a collection's index reaches; None where nobody has told."""
        with translated():
            text = self._redis.hget(_INDEXES, name)
        return IndexState(**json.loads(text)) if text else None

    def tell_aside(self, names: Sequence[str]) -> None:
        """Take down which parts of the index could not be opened and were set aside."""
        with translated():
            self._redis.set(_ASIDE, json.dumps(list(names)))

    def aside(self) -> list[str]:
        """Return the names of what was set aside of the index, by its owner's last word."""
        with translated():
            text = self._redis.get(_ASIDE)
        return list(json.loads(text)) if text else []

    def begin_deleting(self, name: str, job_id: str) -> str:
        """Mark a collection as being deleted and return the job that does, the first one named."""
        with translated():
            self._redis.hsetnx(_DELETING, name, job_id)
            return str(self._redis.hget(_DELETING, name) or job_id)

    def deleting(self, name: str) -> str | None:
        """Return the job that deletes a collection, None when none does."""
        with translated():
            found: str | None = self._redis.hget(_DELETING, name)
        return found

    def stop_deleting(self, name: str) -> None:
        """Take the mark away; the collection takes images again."""
        with translated():
            self._redis.hdel(_DELETING, name)

    def forget_collection(self, name: str) -> None:
        """Forget a collection, what it is bound to, and every image of it."""
        with translated():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hdel(_COLLECTIONS, name)
            pipe.hdel(_INDEXES, name)
            pipe.delete(*_keys(name))
            pipe.execute()


def check_encoder(collection: Collection | None, encoder: str) -> None:
    """Raise EncoderMismatch when the collection was built with another encoder."""
    if collection is not None and collection.encoder != encoder:
        raise EncoderMismatch(
            f"The collection '{collection.name}' was built with the encoder "
            f"{collection.encoder}; the one in use is {encoder}. Embeddings of two encoders cannot "
            "be compared: choose another collection, or start Needle with that encoder."
        )


def _records(collection: str) -> str:
    return f"needle:images:{collection}"


def _listing(collection: str) -> str:
    return f"needle:listing:{collection}"


def _claims(collection: str) -> str:
    return f"needle:claims:{collection}"


def _paths(collection: str) -> str:
    return f"needle:paths:{collection}"


def _keys(collection: str) -> list[str]:
    more = [f"needle:{kind}:{collection}" for kind in ("regions", "claims", "paths")]
    return [_records(collection), _listing(collection), *more]


def _dump(record: ImageRecord) -> str:
    kept = asdict(record)
    del kept["paths"]
    return json.dumps(kept)


def _load(text: str | bytes, paths: str | None = None) -> ImageRecord:
    return ImageRecord(**json.loads(text), paths=tuple(paths.split("\n")) if paths else ())
