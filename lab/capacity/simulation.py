"""A simulation of queues: index workers on one queue; searches that ask every shard.

Events in order of their time, nothing else: what waits, waits for a processor that is free. It is
there to see what sums cannot tell: how long searches wait for each other, how the slowest of many
shards decides, and what a dead worker costs.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draw = Callable[[], float]


@dataclass
class Clock:
    """Runs what is due, in the order of time; `now` is in seconds."""

    now: float = 0.0
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have something done so many seconds from now."""
        heapq.heappush(self._due, (self.now + seconds, next(self._number), call))

    def run(self, until: float) -> None:
        """Go on until nothing is due, or until then."""
        while self._due and self._due[0][0] <= until:
            self.now, _, call = heapq.heappop(self._due)
            call()


@dataclass
class Station:
    """`servers` that each do one thing at a time, first come first served."""

    clock: Clock
    servers: int
    took: Draw
    busy: int = 0
    busy_s: float = 0.0
    _waiting: deque[Callable[[], None]] = field(default_factory=deque)

    def ask(self, done: Callable[[], None]) -> None:
        """Do one thing when a server is free, then say so."""
        self._waiting.append(done)
        self._begin()

    def waiting(self) -> int:
        """Return how many wait for a server."""
        return len(self._waiting)

    def _begin(self) -> None:
        while self._waiting and self.busy < self.servers:
            done, seconds = self._waiting.popleft(), self.took()
            self.busy += 1
            self.busy_s += seconds
            self.clock.after(seconds, lambda done=done: self._end(done))  # type: ignore[misc]

    def _end(self, done: Callable[[], None]) -> None:
        self.busy -= 1
        done()
        self._begin()


@dataclass(frozen=True)
class Answered:
    """What clients saw: seconds of each answer, how many were refused, over how long."""

    seconds: Floats
    refused: int
    span_s: float

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.span_s

    def ms(self, percent: float) -> float:
        """Return a percentile of the answers' times in milliseconds."""
        return float(np.percentile(self.seconds, percent)) * 1000 if len(self.seconds) else 0.0


@dataclass(frozen=True)
class Searching:
    """`servers` search at once; each search asks every one of `shards`, and waits for the slowest.

    `took` draws the seconds of a search without the index; `shard_took` those of one shard. A
    search that would wait longer than `longest_wait_s` is refused at once, as the service does.
    """

    servers: int
    took: Draw
    shards: int = 0
    shard_took: Draw | None = None
    longest_wait_s: float = 10.0


def searches(
    service: Searching,
    span_s: float,
    *,
    clients: int = 0,
    per_s: float = 0.0,
    seed: int = 0,
) -> Answered:
    """Have searches come: each client one after the other, or by chance, so many a second."""
    clock, rng = Clock(), np.random.default_rng(seed)
    workers = Station(clock, service.servers, service.took)
    own = service.shard_took or (lambda: 0.0)
    shards = [Station(clock, 1, own) for _ in range(service.shards)]
    mean_s = float(np.mean([service.took() for _ in range(200)]))
    seconds: list[float] = []
    refused = 0

    def ask(then: Callable[[bool], None]) -> None:
        nonlocal refused
        started = clock.now
        if workers.waiting() * mean_s / service.servers > service.longest_wait_s:
            refused += 1
            then(False)
            return

        def answered() -> None:
            seconds.append(clock.now - started)
            then(True)

        workers.ask(lambda: _every(shards, answered))

    def again(taken: bool) -> None:
        clock.after(0.0 if taken else 1.0, lambda: ask(again))

    def come() -> None:
        ask(lambda taken: None)
        clock.after(float(rng.exponential(1 / per_s)), come)

    for _ in range(clients):
        clock.after(0.0, lambda: ask(again))
    if per_s:
        clock.after(float(rng.exponential(1 / per_s)), come)
    clock.run(span_s)
    return Answered(np.array(seconds), refused, span_s)


def _every(shards: list[Station], done: Callable[[], None]) -> None:
    """Ask every shard at once; done is when the last has answered."""
    left = len(shards)
    if not left:
        done()
        return

    def one() -> None:
        nonlocal left
        left -= 1
        if not left:
            done()

    for shard in shards:
        shard.ask(one)


@dataclass(frozen=True)
class Indexing:
    """Workers that take chunks of photos from one queue and commit each to one of `owners`.

    `owners` is 1 for the embedded index and the number of shards for a server. `dies_at_s`: one
    worker ends then, and its chunk is taken again once its lease of `lease_s` is over.
    """

    workers: int
    photo_took: Draw
    commit_took: Draw
    owners: int = 1
    chunk: int = 8
    dies_at_s: float | None = None
    lease_s: float = 25.0


def indexing_s(service: Indexing, photos: int) -> float:
    """Return seconds until the last photo is committed; infinity where no worker is left."""
    clock = Clock()
    owners = Station(clock, service.owners, service.commit_took)
    chunks = deque([service.chunk] * (photos // service.chunk) + [photos % service.chunk])
    left, ended, dead = photos, 0.0, service.dies_at_s is None

    def committed() -> None:
        nonlocal left, ended
        left -= 1
        ended = clock.now

    def take() -> None:
        nonlocal dead
        while chunks and not chunks[0]:
            chunks.popleft()
        if not chunks:
            if left:
                clock.after(0.1, take)
            return
        size = chunks.popleft()
        seconds = sum(service.photo_took() for _ in range(size))
        if not dead and service.dies_at_s is not None and clock.now + seconds > service.dies_at_s:
            dead = True
            clock.after(
                max(service.dies_at_s - clock.now, 0.0) + service.lease_s,
                lambda: chunks.appendleft(size),
            )
            return
        clock.after(seconds, lambda: finish(size))

    def finish(size: int) -> None:
        for _ in range(size):
            owners.ask(committed)
        take()

    for _ in range(service.workers):
        clock.after(0.0, take)
    clock.run(math.inf)
    return math.inf if left else ended
