"""What a backup is made of: names of its parts, and all of Redis as one file.

A backup is a folder while it is made and a tar file when it is fetched. Its photos, lists and files
are as they lie in the data folder, and left out where they lie in a bucket; shards are compressed,
since most of a small one is holes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, Literal

import redis
from pydantic import BaseModel

from common.errors import BackupBroken
from common.redis import translated

FOLDER = "backups"
"""The folder of keys, in the image store, under which backups lie until they are fetched."""
HEAD, REDIS, COMPLETE = "backup.json", "redis.dump", "complete"
FILES = ("images", "handover", "queries")
"""Folders of the data folder that a backup has, each a copy."""
SHARDS = ("vectors", "words")
"""Those whose folders it has as one compressed file each."""
_ANSWER_TIMEOUT_S = 300
_AT_ONCE = 100
_ENTRY = struct.Struct(">IqQ")
"""Of an entry: bytes of the key, milliseconds left to live (-1: for ever), bytes of the value."""
# One script, so that all is of one moment.
_EVERYTHING = """
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  all[#all + 1] = key
  all[#all + 1] = redis.call('PTTL', key)
  all[#all + 1] = redis.call('DUMP', key)
end
return all
"""


class Head(BaseModel):
    """What a backup says of itself: the first file in it."""

    form: Literal[1] = 1
    job_id: str
    created_at: float
    images: int
    collections: int
    has_vectors: bool
    image_store: str | None = None
    """The bucket that has the images, where they are not in the backup."""


def folder_of(job_id: str) -> str:
    """Return the folder of keys under which the backup of a job lies until it is fetched."""
    return f"{FOLDER}/{job_id}"


def dump_redis(url: str, file: BinaryIO) -> None:
    """Write every key of Redis into the file. Raises BrokerUnavailable."""
    with translated(), _connected(url) as client:
        found = client.eval(_EVERYTHING, 0)
        for key, left_ms, value in zip(found[::3], found[1::3], found[2::3], strict=True):
            file.write(_ENTRY.pack(len(key), left_ms, len(value)))
            file.write(key)
            file.write(value)


def load_redis(url: str, file: BinaryIO) -> int:
    """Write what `dump_redis` wrote into an empty Redis; return how many keys there were.

    Raises BackupBroken, also where Redis has keys or is too old, and BrokerUnavailable.
    """
    count = 0
    with translated(), _connected(url) as client:
        if client.dbsize():
            raise BackupBroken("This Redis is not empty; a backup is restored into an empty one.")
        every = _entries(file)
        while entries := list(islice(every, _AT_ONCE)):
            pipe = client.pipeline(transaction=False)
            for key, left_ms, value in entries:
                pipe.restore(key, max(0, left_ms), value)
            try:
                count += len(pipe.execute())
            except redis.ResponseError as exc:
                message = f"Redis does not take the backup (is it older than the other?): {exc}"
                raise BackupBroken(message) from exc
    return count


def _connected(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=False, socket_timeout=_ANSWER_TIMEOUT_S)


def _entries(file: BinaryIO) -> Iterator[tuple[bytes, int, bytes]]:
    while head := file.read(_ENTRY.size):
        if len(head) < _ENTRY.size:
            raise BackupBroken("The backup's copy of Redis is cut off.")
        key_bytes, left_ms, value_bytes = _ENTRY.unpack(head)
        key, value = file.read(key_bytes), file.read(value_bytes)
        if len(value) < value_bytes:
            raise BackupBroken("The backup's copy of Redis is cut off.")
        yield key, left_ms, value
