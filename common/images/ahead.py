"""Several requests at the same time to a store that is far away, where each takes its time.

A store on the disk is asked as before: there is nothing to wait for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from common.images.store import ImageStore
from common.log import with_context

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 8
"""Requests of one search or batch: those of four searches are the connections of a process."""


class ReadAhead:
    """Reads keys before they are asked for, in the order in which they are expected to be.

    Several threads may ask.
    """

    def __init__(self, images: ImageStore, keys: Iterable[str]) -> None:
        """Nothing is read yet."""
        self._images = images
        self._coming = iter(() if images.on_disk else dict.fromkeys(keys))
        self._begun: dict[str, Future[bytes]] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, "ahead")
        self._lock = threading.Lock()

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *_: object) -> None:
        """Read no more. What is under way ends by itself: nobody waits for it."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def open(self, key: str) -> bytes:
        """Return the bytes of a key, expected or not. Raises what the store raises."""
        with self._lock:
            self._begin()
            future = self._begun.pop(key, None)
            self._begin()
        return self._images.open(key) if future is None else future.result()

    def _begin(self) -> None:
        while len(self._begun) < AT_ONCE:
            key = next(self._coming, None)
            if key is None:
                return
            self._begun[key] = self._pool.submit(with_context(self._images.open), key)


def at_once(images: ImageStore, function: Callable[[T], R], values: Iterable[T]) -> Iterator[R]:
    """Yield what a function, which asks the store, returns for each value, in their order.

    All has ended when this has. Raises the first error, in that order.
    """
    if images.on_disk:
        yield from map(function, values)
        return
    with ThreadPoolExecutor(AT_ONCE, "at-once") as pool:
        yield from pool.map(with_context(function), values)
