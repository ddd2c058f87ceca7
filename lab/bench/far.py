"""`python -m lab.bench.far`: what it gains to ask a bucket that is far away several things at once.

`rclone serve s3` is the bucket; each of its answers is under way for 50 ms. The same is done with
one request after the other, and with as many at a time as the service makes.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast
from unittest.mock import patch

from common.images import ImageStore, WriteBehind, at_once, image_key, local_key, thumbnail_key
from common.images.ahead import AT_ONCE
from common.images.redis_locks import RedisLocks
from common.images.s3 import Bucket, S3ImageStore
from lab.bench.drawn import drawn_photo
from tests.object_store import BUCKET, ObjectStore, Proxy, credentials
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.match import NearestMatcher, Query
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Vocabulary
from worker.searching.candidates import Candidate
from worker.searching.verifying import Limits, Verifier

FAR_S = 0.05
CANDIDATES = 60
PHOTOS = 16
PHOTO_BYTES = 150_000
SIZE = (900, 660)
"""0.6 megapixels: 2,500 local features."""


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="needle-far-") as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with ObjectStore(Path(folder), port) as server:
            proxy = Proxy(server.port, far_s=FAR_S)
            with patch.dict(os.environ, credentials()):
                # What is done here takes no locks.
                locks = cast(RedisLocks, None)
                _measure(S3ImageStore(Bucket(BUCKET, endpoint=proxy.url), locks))
            proxy.close()
    return 0


def _measure(store: ImageStore) -> None:
    vocabulary = Vocabulary.load()
    features = extract(drawn_photo(0, *SIZE), 2500)
    kept = StoredKeypoints.of(Keypoints.of(features, vocabulary), vocabulary)
    local = kept.to_bytes(vocabulary)
    names = [f"{n:04}" for n in range(CANDIDATES)]
    for _ in at_once(store, lambda name: store.put(local_key("c", name), local), names):
        pass
    query = drawn_photo(1, 200, 150)
    queries = Query.both(extract(query, 500), vocabulary)
    verifier = Verifier(vocabulary, NearestMatcher(), store)
    candidates = [Candidate(name, 0) for name in names]

    def verify() -> None:
        limits = Limits(CANDIDATES, 2, 600.0, every=True)
        assert len(verifier.verify("c", queries, candidates, limits).checked) == CANDIDATES

    def write(name: str) -> None:
        for key in (image_key("c", name), local_key("c", name), thumbnail_key("c", name)):
            store.put(key, local)

    def commit() -> None:
        assert len(list(at_once(store, write, names[:PHOTOS]))) == PHOTOS

    photo = bytes(PHOTO_BYTES)

    def upload() -> None:
        with WriteBehind(store) as behind:
            for name in names:
                behind(partial(_upload, store, image_key("u", name), photo), PHOTO_BYTES)

    print(f"each answer {FAR_S * 1000:.0f} ms away; one at a time, then {AT_ONCE}")
    _compare(f"verify {CANDIDATES} images of {len(local):,} bytes", verify)
    _compare(f"write 3 files of {PHOTOS} images", commit)
    _compare(f"take {CANDIDATES} images of {PHOTO_BYTES:,} bytes", upload)


def _upload(store: ImageStore, key: str, content: bytes) -> None:
    """Store an image as the web server does."""
    store.exists(key)
    store.put(key, content)


def _compare(what: str, do: Callable[[], None]) -> None:
    seconds = []
    for most in (1, AT_ONCE):
        with patch("common.images.ahead.AT_ONCE", most):
            started = time.perf_counter()
            do()
            seconds.append(time.perf_counter() - started)
    print(f"{what}: {seconds[0]:.2f} s, {seconds[1]:.2f} s, times {seconds[0] / seconds[1]:.1f}")


if __name__ == "__main__":
    sys.exit(main())
