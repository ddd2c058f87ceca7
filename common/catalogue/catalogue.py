"""The list of images and collections, in Redis: what is indexed, with which encoder.

Vectors live in Qdrant, bytes in the image store; this is the record that joins them. An image has
a record from the moment its bytes are stored (`indexed_at` None) and is listed once its regions
are written. Deleting the record first makes a running index task drop the image.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from common.catalogue import scripts
from common.catalogue.keys import all_keys, claims_key, listing_key, paths_key, records_key
from common.catalogue.records import (
    Collection,
    ImageRecord,
    IndexState,
    check_encoder,
    dumped,
    loaded,
)
from common.errors import NotFound
from common.paging import Page, Place, read
from common.redis import Client, translated

_COLLECTIONS = "needle:collections"
_DELETING = "needle:deleting"
_INDEXES = "needle:indexes"
_ASIDE = "needle:aside"
_BULK_ENDS = "needle:bulk:ends"
MOST_PATHS_BYTES = 1 << 14
"""So many bytes of paths are kept of an image that is posted under ever new ones."""


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
                pipe.hsetnx(records_key(record.collection), record.image_id, dumped(record))
            pipe.execute()
            self._note(records)

    def claim(self, record: ImageRecord, job_id: str) -> None:
        """Record an image whose bytes are about to be stored; the job wants it to be indexed.

        A known image keeps its record, and gains its paths.
        """
        with translated():
            args = [job_id, record.image_id, dumped(record)]
            self._claim(keys=all_keys(record.collection), args=args)
            self._note([record])

    def _note(self, records: Sequence[ImageRecord]) -> None:
        for record in records:
            args = [text for path in record.paths for text in (record.image_id, path)]
            if args:
                self._note_paths(keys=all_keys(record.collection), args=[MOST_PATHS_BYTES, *args])

    def release(self, collection: str, image_ids: Sequence[str], job_id: str) -> list[str]:
        """Forget images that were never indexed and that no other job wants; return their ids."""
        if not image_ids:
            return []
        with translated():
            return list(self._release(keys=all_keys(collection), args=[job_id, *image_ids]))

    def claimed(self, collection: str, job_id: str) -> list[str]:
        """Return the images that a job wants and that are not indexed; a scan of all such."""
        with translated():
            claims = self._redis.hscan_iter(claims_key(collection), count=1000)
            return [name for name, jobs in claims if job_id in jobs.split(";")]

    def find(self, collection: str, image_ids: Sequence[str]) -> dict[str, ImageRecord]:
        """Return the records of those images that are known."""
        if not image_ids:
            return {}
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hmget(records_key(collection), list(image_ids))
            pipe.hmget(paths_key(collection), list(image_ids))
            found, paths = pipe.execute()
        records = [loaded(text, told) for text, told in zip(found, paths, strict=True) if text]
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
            args += [record.image_id, dumped(record), record.indexed_at or 0.0]
        if not args:
            return set()
        with translated():
            return set(self._mark(keys=all_keys(collection), args=args))

    def doubt(self, collection: str, image_ids: Sequence[str]) -> None:
        """Forget what made the images' regions, so that an index job makes them again.

        They stay listed. An image that is indexed or deleted meanwhile is left alone.
        """
        if not image_ids:
            return
        with translated():
            found = self._redis.hmget(records_key(collection), list(image_ids))
            for image_id, text in zip(image_ids, found, strict=True):
                if text:
                    args = [image_id, text, dumped(replace(loaded(text), recipe=""))]
                    self._replace(keys=all_keys(collection), args=args)

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
            key = listing_key(collection)
            return read(self._redis, key, load, place=place, limit=limit, keep=keep)

    def every(self, collection: str) -> Iterator[ImageRecord]:
        """Yield every image that has a record, indexed or not, in no order."""
        with translated():
            paths = self._redis.hgetall(paths_key(collection))
            for name, text in self._redis.hscan_iter(records_key(collection), count=1000):
                yield loaded(text, paths.get(name))

    def count(self, collection: str) -> int:
        """Return how many images are indexed."""
        with translated():
            return int(self._redis.zcard(listing_key(collection)))

    def counts(self, names: Sequence[str]) -> list[int]:
        """Return how many images are indexed in each of these collections."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.zcard(listing_key(name))
            return [int(count) for count in pipe.execute()]

    def count_regions(self, collection: str) -> int:
        """Return how many regions its indexed images have."""
        with translated():
            return int(self._regions(keys=all_keys(collection)))

    def remove(self, collection: str, image_id: str) -> None:
        """Forget an image; its points and files are the caller's."""
        with translated():
            self._remove(keys=all_keys(collection), args=[image_id])

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
            pipe.exists(records_key(name))
            return any(pipe.execute())

    def tell_index(self, name: str, state: IndexState) -> None:
        """Take down how far a collection's index reaches: only its owner knows."""
        with translated():
            self._redis.hset(_INDEXES, name, json.dumps(state.as_dict()))

    def index_state(self, name: str) -> IndexState | None:
        """Return how far a collection's index reaches; None where nobody has told."""
        with translated():
            text = self._redis.hget(_INDEXES, name)
        return IndexState(**json.loads(text)) if text else None

    def in_bulk_mode(self) -> list[str]:
        """Return the collections of which nothing is indexed until bulk mode ends, in order."""
        with translated():
            told = self._redis.hgetall(_INDEXES)
        return sorted(name for name, text in told.items() if json.loads(text).get("deferred"))

    def end_bulk_when_idle(self, name: str, idle_s: float) -> None:
        """Have bulk mode end once nothing has come into the collection for so many seconds."""
        with translated():
            self._redis.hset(_BULK_ENDS, name, idle_s)

    def leave_bulk(self, name: str) -> None:
        """Leave it to whoever turned bulk mode on to end it."""
        with translated():
            self._redis.hdel(_BULK_ENDS, name)

    def bulk_ends(self) -> dict[str, float]:
        """Return the collections whose bulk mode is to end, and after how many seconds."""
        with translated():
            return {name: float(idle_s) for name, idle_s in self._redis.hgetall(_BULK_ENDS).items()}

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
            pipe.hdel(_BULK_ENDS, name)
            pipe.delete(*all_keys(name))
            pipe.execute()
