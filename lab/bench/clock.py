"""Seconds of a stretch of work, and of the stages that it passes through."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import wraps
from typing import Any

from lab.bench.figures import Spent


class Clock:
    """Adds up what each stage took. Stages of several threads take turns, so that nothing overlaps.

    Only then do the stages sum up, and is a stage's processor time its own: engines compute in
    threads that belong to nobody.
    """

    def __init__(self) -> None:
        self.laps: dict[str, Spent] = {}
        self._turn = threading.RLock()
        self._within: list[Spent] = []

    @contextmanager
    def lap(self, stage: str) -> Iterator[None]:
        """Count what happens within for the stage, less what another stage within it counts."""
        with self._turn:
            self._within.append(Spent(0.0, 0.0))
            started = now()
            try:
                yield
            finally:
                spent, inner = since(started), self._within.pop()
                own = Spent(spent.wall_s - inner.wall_s, spent.cpu_s - inner.cpu_s)
                self.laps[stage] = self.laps.get(stage, Spent(0.0, 0.0)) + own
                if self._within:
                    self._within[-1] += spent

    @contextmanager
    def watching(self, stages: Mapping[str, str]) -> Iterator[None]:
        """Count every call of the functions, a name of a stage for each `module:Class.method`.

        They must return when their work is done, and wait for no other stage meanwhile.
        """
        with ExitStack() as undo:
            for where, stage in stages.items():
                owner, name = located(where)
                original = getattr(owner, name)
                setattr(owner, name, self._timed(original, stage))
                undo.callback(setattr, owner, name, original)
            yield

    def _timed(self, original: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.lap(stage):
                return original(*args, **kwargs)

        return timed

    def as_json(self) -> dict[str, dict[str, float]]:
        """Return the stages as JSON carries them."""
        return {stage: asdict(spent) for stage, spent in self.laps.items()}


def located(where: str) -> tuple[Any, str]:
    """Return the class or module, and the attribute of it, that `module:Class.method` names.

    Raises ImportError and AttributeError.
    """
    module, _, path = where.partition(":")
    *holders, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for holder in holders:
        owner = getattr(owner, holder)
    getattr(owner, name)
    return owner, name


def now() -> Spent:
    """Return both clocks of this process as they stand."""
    return Spent(time.perf_counter(), time.process_time())


def since(started: Spent) -> Spent:
    """Return what passed since `now` said so."""
    at = now()
    return Spent(at.wall_s - started.wall_s, at.cpu_s - started.cpu_s)
