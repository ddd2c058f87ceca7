"""Tending the engine's index: built when it has grown and nothing else is going on, and told of.

A thread of the search worker does it. The embedded engine builds in a process of its own, which
gives way to everything else; a server builds by itself, and is only asked how far it is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from common.catalogue import Catalogue, IndexState
from common.errors import NeedleError
from common.job_list import JobList
from common.metrics import meters
from worker.bulk_end import BulkEnder
from worker.vectors.engine import State
from worker.vectors.stores import Store, VectorStore, WordStore

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
QUIET_S = 60.0
"""How long nothing may have been written before what is pending is indexed."""
LEAST_SHARE = 0.1
"""Share of the points that must be pending: a rebuild copies them all."""
MUCH = 200_000
"""So many pending points, and as many as there are in the index, do not wait for quiet."""
AGAIN_AFTER_S = 300.0
"""How long after an index was begun the next is, whatever came of it."""
WORDS_FROM = 20_000
"""Images from which on their words are indexed on disk; those of fewer fit into memory."""


@dataclass
class Watched:
    """What was last seen of a shelf, since when it has been so, and when it may be indexed."""

    seen: State = field(default_factory=State)
    since: float = 0.0
    not_before: float = 0.0

    def due(self, state: State, now: float, *, least: int) -> bool:
        """Tell whether it is time to index what is pending; shelves below `least` need no index."""
        if (state.points, state.pending) != (self.seen.points, self.seen.pending):
            self.seen, self.since = state, now
        if state.points < max(least, 1) or state.pending < LEAST_SHARE * state.points:
            return False
        much = state.pending >= max(MUCH, state.points // 2)
        return now >= self.not_before and (much or now - self.since >= QUIET_S)


class Tender:
    """Looks after both stores of every collection; builds one index at a time."""

    def __init__(
        self,
        vectors: VectorStore,
        words: WordStore,
        catalogue: Catalogue,
        jobs: JobList,
        exact_below: int,
    ) -> None:
        self._vectors = vectors
        self._bulk = BulkEnder(vectors, catalogue, jobs)
        self._stores: list[tuple[Store, int]] = [(vectors, exact_below), (words, WORDS_FROM)]
        self._exact_below = exact_below
        self._catalogue = catalogue
        self._watched: dict[tuple[Store, str], Watched] = {}
        self._told: dict[str, IndexState] = {}
        self._told_aside: list[str] | None = None
        self._stop = threading.Event()
        self._building: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._run, name="tender", daemon=True).start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()

    def tend(self, now: float) -> threading.Thread | None:
        """Tell how every collection stands, and begin to index what is due.

        `now` is monotonic. Returns the thread that indexes, None where none does.
        """
        self._tell_aside()
        names = [one.name for one in self._catalogue.collections()]
        points = sum(self._tell(name) for name in names)
        self._told = {name: self._told[name] for name in names}
        meters().points.set(points)
        meters().pending.set(sum(told.pending for told in self._told.values()))
        meters().optimizing.set(sum(told.optimizing for told in self._told.values()))
        if self._building is None or not self._building.is_alive():
            self._building = self._begin(names, now)
        self._bulk.look(now)  # last: a server that refuses it keeps nothing else from being told
        return self._building

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                self.tend(time.monotonic())
            except NeedleError as error:
                log.warning("the index is not looked after: %s", error.message)
            except Exception:
                log.exception("looking after the index failed")

    def _begin(self, names: Sequence[str], now: float) -> threading.Thread | None:
        """Index the first collection that it is time for. A server does it by itself."""
        for store, least in self._stores:
            if store.engine.builds_itself:
                continue
            for name in names:
                state = store.state(name)
                watched = self._watched.setdefault((store, name), Watched(since=now))
                if watched.due(state, now, least=least):
                    watched.not_before = now + AGAIN_AFTER_S
                    thread = threading.Thread(
                        target=self._index, args=(store, name, state), name="index", daemon=True
                    )
                    thread.start()
                    return thread
        return None

    def _index(self, store: Store, name: str, state: State) -> None:
        where, started = f"{store.sort.value}/{name}", time.monotonic()
        log.info("%s: indexing, %d of %d points are pending", where, state.pending, state.points)
        try:
            done = store.optimize(name)
        except NeedleError as error:
            log.error("%s: indexing failed: %s", where, error.message)
        else:
            seconds = time.monotonic() - started
            log.info("%s: %s in %.1f s", where, "indexed" if done else "given up", seconds)

    def _tell_aside(self) -> None:
        aside = self._vectors.engine.aside()
        if aside != self._told_aside:
            self._catalogue.tell_aside(aside)
            self._told_aside = aside

    def _tell(self, name: str) -> int:
        """Tell how a collection stands; return how many points it has."""
        state = self._vectors.state(name)
        many = state.points >= max(self._exact_below, 1)
        pending = state.pending if many or state.deferred else 0
        told = IndexState(pending, state.optimizing, state.deferred)
        if self._told.get(name) != told:
            self._catalogue.tell_index(name, told)
            self._told[name] = told
        return state.points
