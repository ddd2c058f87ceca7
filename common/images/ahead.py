"""Several requests at the same time to a store that is far away, where each takes its time.

A store on the disk is asked as before: there is nothing to wait for.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from common.images.store import ImageStore
from common.log import with_context

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 8
"""Requests of one search or batch: those of four searches are the connections of a process."""
MOST_BYTES = 32 * 2**20
"""What wait to be written hold together, more only where one alone does."""


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


class WriteBehind:
    """Writes what one thread hands over, while that goes on with what comes next.

    When its block ends all has been written; in one that raises, what has not begun is left out.
    """

    def __init__(self, images: ImageStore) -> None:
        """Nothing is written yet. To a store on the disk, each is written as it comes."""
        self._at_once = images.on_disk
        self._pool = ThreadPoolExecutor(AT_ONCE, "behind")
        self._begun: deque[tuple[Future[None], int]] = deque()

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait. Raises the first error of what was written."""
        try:
            while self._begun and kind is None:
                self._end_oldest()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __call__(self, write: Callable[[], None], size: int) -> None:
        """Have so many bytes written; waits while too many are. Raises an earlier one's error."""
        if self._at_once:
            write()
            return
        while self._begun and (len(self._begun) == AT_ONCE or self._held() + size > MOST_BYTES):
            self._end_oldest()
        self._begun.append((self._pool.submit(with_context(write)), size))

    def _held(self) -> int:
        return sum(size for _, size in self._begun)

    def _end_oldest(self) -> None:
        oldest, _ = self._begun.popleft()
        oldest.result()


def at_once(images: ImageStore, function: Callable[[T], R], values: Iterable[T]) -> Iterator[R]:
    """Yield what a function, which asks the store, returns for each value, in their order.

    All has ended when this has. Raises the first error, in that order.
    """
    if images.on_disk:
        yield from map(function, values)
        return
    with ThreadPoolExecutor(AT_ONCE, "at-once") as pool:
        yield from pool.map(with_context(function), values)
