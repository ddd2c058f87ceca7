"""Work done in threads a little ahead of whoever uses it, in the order of what it is done on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from common.log import with_context

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Generator[tuple[Item, Result]]:
    """Yield each item with its result, in order; at most `ahead` more are begun meanwhile.

    Whoever stops early closes the iterator: what has not begun then never does, and nobody waits
    for what has. One thread is the caller's own, which begins nothing ahead.
    """
    if threads == 1:
        for item in items:
            yield item, work(item)
        return
    work = with_context(work)
    begun: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(threads, "ahead")
    try:
        for item in items:
            begun.append((item, pool.submit(work, item)))
            if len(begun) > ahead:
                yield _first(begun)
        while begun:
            yield _first(begun)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _first(begun: deque[tuple[Item, Future[Result]]]) -> tuple[Item, Result]:
    item, future = begun.popleft()
    return item, future.result()
