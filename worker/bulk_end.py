"""Bulk mode that ends by itself, as `bulk on NAME --until-idle` asks: in the search workers.

That it is to end stands in Redis, so that it does whatever is started again. Several workers may
look; to end it twice changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from common.catalogue import Catalogue
from common.job_list import JobList
from worker.vectors.stores import VectorStore

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    """How many points a collection had, and since when."""

    points: int
    since: float


class BulkEnder:
    """Ends the bulk mode of collections into which nothing has come for as long as was asked."""

    def __init__(self, store: VectorStore, catalogue: Catalogue, jobs: JobList) -> None:
        self._store, self._catalogue, self._jobs = store, catalogue, jobs
        self._seen: dict[str, _Seen] = {}

    def look(self, now: float) -> list[str]:
        """End what is to end by now, which is monotonic; return the collections.

        Raises StoreUnavailable or BrokerUnavailable.
        """
        ending = self._catalogue.bulk_ends()
        self._seen = {name: seen for name, seen in self._seen.items() if name in ending}
        return [name for name, idle_s in ending.items() if self._end(name, idle_s, now)]

    def _end(self, name: str, idle_s: float, now: float) -> bool:
        state = self._store.state(name)
        if not state.deferred:  # it was ended by hand, or the collection is gone
            self._catalogue.leave_bulk(name)
            return False
        seen = self._seen.setdefault(name, _Seen(state.points, now))
        # The jobs are asked for last, and seldom: there may be very many.
        if state.points == seen.points and now - seen.since < idle_s:
            return False
        if state.points != seen.points or self._is_indexed_into(name):
            self._seen[name] = _Seen(state.points, now)
            return False
        self._store.defer(name, False)
        self._catalogue.leave_bulk(name)
        log.info(
            "%s: bulk mode is ended, nothing has come for %.0f s; the server indexes %d points",
            name, idle_s, state.pending,
        )  # fmt: skip
        return True

    def _is_indexed_into(self, name: str) -> bool:
        return any(self._jobs.indexing(name))
