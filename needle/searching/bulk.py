"""Many queries, several at a time: a bad one does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from needle.errors import JobFailed, NeedleApiError, NeedleClientError, TimedOut
from needle.parcels import ONE_IMAGES_FAULT
from needle.results import SearchResult
from needle.searching.queries import Query

IN_FLIGHT = 4
LANDING_S = 0.5
"""So often the main thread looks up, in which Ctrl-C arrives."""

Ask = Callable[[Query], SearchResult]
OnStop = Callable[[int], None]
"""Told, after Ctrl-C or when the service fails, how many searches are waited for."""


@dataclass(frozen=True)
class Answer:
    """What came of a query: a result, or why there is none."""

    query: Query
    result: SearchResult | None = None
    reason: str = ""


def ask_all(
    queries: Iterable[Query], ask: Ask, *, in_flight: int = IN_FLIGHT, on_stop: OnStop | None = None
) -> Iterator[Answer]:
    """Yield the answer to each query, in the order in which they come.

    After Ctrl-C, and where the service itself fails, nothing new is asked, what is in flight is
    yielded, and then KeyboardInterrupt or the service's NeedleClientError is raised.
    """
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="search")
    flying: set[Future[Answer]] = set()
    rest = iter(queries)
    failure: BaseException | None = None
    try:
        while failure is None:
            try:
                while len(flying) < in_flight and (query := next(rest, None)):
                    flying.add(pool.submit(_answer, query, ask))
                if not flying:
                    return
                done, _ = wait(flying, timeout=LANDING_S, return_when=FIRST_COMPLETED)
            except KeyboardInterrupt as exc:
                failure, done = exc, set()
            flying -= done
            for future in done:
                failure = failure or future.exception()
                if future.exception() is None:
                    yield future.result()
        if on_stop and flying:
            on_stop(len(flying))
        for future in wait(flying).done:
            if future.exception() is None:
                yield future.result()
        assert failure is not None
        raise failure
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _answer(query: Query, ask: Ask) -> Answer:
    """Ask; what is wrong with this query alone is its answer."""
    try:
        return Answer(query, ask(query))
    except (JobFailed, TimedOut) as exc:
        return Answer(query, reason=exc.message)
    except NeedleApiError as exc:
        if not _is_of_this_query(query, exc):
            raise
        return Answer(query, reason=exc.message)
    except NeedleClientError:
        raise
    except OSError as exc:
        if isinstance(query.content, bytes) or query.content is None:
            raise
        return Answer(query, reason=exc.strerror or str(exc))


def _is_of_this_query(query: Query, exc: NeedleApiError) -> bool:
    if exc.status == 404:
        return "image_id" in query.asked
    return exc.status in ONE_IMAGES_FAULT and exc.code != "bad_request"
