"""What goes on while the networks run: images are loaded ahead of them, batches committed behind.

Both keep the order of the items, hold a bounded number of bytes, and end their threads with
themselves. Exceptions of the threads come out where the results do. The networks, and with them
the time limit of a task, which is raised there, stay in the thread of the caller.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import cast

from common.jobs import Item
from common.log import with_context
from worker.indexing.batch import Batch
from worker.indexing.image import LoadedImage
from worker.indexing.loading import Found

FINDERS = 8
"""Threads that look records up and download: they wait more than they work."""
READERS = 8
"""Threads that read images of the store, which may be far away, before they are decoded."""
BYTES_A_PIXEL = 4
"""Of a decoded image: Pillow keeps RGB in four."""
COMMITS = 2
"""Batches that may wait for their commit, or be in it, while the next is made."""

Loaded = Future[LoadedImage | Item]
Commit = tuple[Sequence[Item], Future[None]]
"""Items and what became of their commit."""


class Ahead:
    """Loads a run's items in threads, in their order, as far ahead as `most_bytes` of pixels go.

    An image of more than that is loaded when nothing else is held. `find` says what there is to
    load of an item, `read` gets its bytes, `load` does the rest and asks for them; an item that
    `find` has ended is not loaded.
    """

    def __init__(
        self,
        items: Sequence[Item],
        find: Callable[[Item], Found | Item],
        read: Callable[[Found], bytes],
        load: Callable[[Found, Callable[[], bytes]], LoadedImage | Item],
        *,
        threads: int,
        most_bytes: int,
    ) -> None:
        find = with_context(find)
        self._read, self._load = with_context(read), with_context(load)
        self._most_bytes = most_bytes
        self._lock = threading.RLock()
        self._closed = False
        self._held = self._taken = 0
        self._begun: deque[tuple[Item, int, Loaded]] = deque()
        self._finders = ThreadPoolExecutor(FINDERS, "find")
        self._readers = ThreadPoolExecutor(READERS, "read")
        self._loaders = ThreadPoolExecutor(threads, "load")
        self._found = deque((item, self._finders.submit(find, item)) for item in items)
        for _, future in list(self._found):
            future.add_done_callback(lambda _: self._begin())

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what has not begun and wait for what has."""
        with self._lock:
            self._closed = True
        pools = (self._finders, self._readers, self._loaders)
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in pools:
            pool.shutdown()

    def take(self, most: int) -> list[tuple[Item, Loaded]]:
        """Return what became of the next items, at most so many; empty when there are none left.

        The images of one call, unless it is one alone, have at most half of the bytes: the other
        half is for what is loaded meanwhile. They count until `release` is called.
        """
        taken: list[tuple[Item, Loaded]] = []
        while len(taken) < most and self._next_fits():
            item, size, future = self._begun.popleft()
            self._taken += size
            wait([future])
            taken.append((item, future))
        return taken

    def release(self) -> None:
        """Forget what was taken: its pixels are gone."""
        with self._lock:
            self._held -= self._taken
            self._taken = 0
        self._begin()

    def _next_fits(self) -> bool:
        """Wait until the next item is being loaded; False if there is none, or no room for it."""
        while True:
            with self._lock:
                if self._begun:
                    together = self._taken + self._begun[0][1]
                    return not self._taken or together <= self._most_bytes // 2
                if not self._found:
                    return False
                found = self._found[0][1]
            wait([found])
            self._begin()
            if not self._begun and self._taken:
                return False

    def _begin(self) -> None:
        """Begin to load what is found and has room; called in the finders' threads, too."""
        with self._lock:
            while self._found and self._found[0][1].done() and not self._closed:
                size = _bytes(self._found[0][1])
                if self._held and self._held + size > self._most_bytes:
                    return
                item, found = self._found.popleft()
                self._held += size
                self._begun.append((item, size, self._loading(found)))

    def _loading(self, found: Future[Found | Item]) -> Loaded:
        if found.exception() or isinstance(found.result(), Item):
            return cast(Loaded, found)
        # Reads are begun at once, in the order in which the loaders wait for them.
        read = self._readers.submit(self._read, what := cast(Found, found.result()))
        return self._loaders.submit(self._load, what, read.result)


class Behind:
    """Commits batches in one thread, in their order, while the next are made."""

    def __init__(self, commit: Callable[[Batch], None]) -> None:
        self._commit = with_context(commit)
        self._pool = ThreadPoolExecutor(1, "commit")
        self._waiting: deque[Commit] = deque()

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what has not begun and wait for what has."""
        self._pool.shutdown(cancel_futures=True)

    def put(self, items: Sequence[Item], batch: Batch) -> Iterator[Commit]:
        """Take a batch; yield the commits that have ended, and wait while too many have not."""
        self._waiting.append((items, self._pool.submit(self._commit, batch)))
        while self._waiting and (len(self._waiting) >= COMMITS or self._waiting[0][1].done()):
            yield self._waiting.popleft()

    def rest(self) -> Iterator[Commit]:
        """Yield every other commit."""
        while self._waiting:
            yield self._waiting.popleft()


def _bytes(found: Future[Found | Item]) -> int:
    """Return the size of the pixels that are to be loaded; `found` is done."""
    what = None if found.exception() else found.result()
    if not isinstance(what, Found):
        return 0
    return BYTES_A_PIXEL * what.record.width * what.record.height
