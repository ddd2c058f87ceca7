"""Restarts processes that died, with a growing pause, and ends those that hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.beats import last_beat
from machine.stack.errors import StackError
from machine.stack.process import Child

POLL_S = 0.1
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_S = 60.0
"""A process that has run this long is restarted after the first pause, whatever went before."""


STILL_S = 120.0
"""How long a process may touch nothing that touched its file before; then it is ended."""


@dataclass
class Pulse:
    """What was last seen of a process's file, in which of its runs, and since when."""

    pid: int | None
    at: float | None
    since: float
    beats: bool = False
    """Whether it was touched in this run: a process that still starts touches nothing."""


class Keeper:
    """A thread that watches processes until it is closed."""

    def __init__(self, children: Sequence[Child], on_event: Callable[[str], None]) -> None:
        """Start watching; `on_event` gets a sentence for each death."""
        self._children = children
        self._on_event = on_event
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._pulses: dict[str, Pulse] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching; nothing is restarted once this has returned."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(POLL_S):
            for child in self._children:
                if not child.running:
                    self._look_after(child, time.monotonic())
                elif child.command.beats is not None:
                    self._feel(child, child.command.beats, time.monotonic())

    def _feel(self, child: Child, file: Path, now: float) -> None:
        """End a process that has stopped moving; then it is looked after as others that died."""
        at, pulse = last_beat(file), self._pulses.get(child.name)
        if pulse is None or pulse.pid != child.pid:
            self._pulses[child.name] = Pulse(child.pid, at, now)
        elif at != pulse.at:
            pulse.at, pulse.since, pulse.beats = at, now, True
        elif pulse.beats and now - pulse.since > STILL_S:
            self._on_event(f"{child.name} has not moved for {STILL_S:g} s and is ended.")
            child.kill()

    def _look_after(self, child: Child, now: float) -> None:
        """Plan the restart of a process that has just died, or carry it out when it is due."""
        due = self._due.get(child.name)
        if due is None:
            pause = self._next_pause(child)
            self._due[child.name] = now + pause
            child.kill()  # what it left behind must not work beside its successor
            self._on_event(f"{child.epitaph()}; it is started again in {pause:g} s.")
        elif now >= due:
            del self._due[child.name]
            try:
                child.start()
            except StackError as exc:
                self._on_event(exc.message)

    def _next_pause(self, child: Child) -> float:
        last = self._pauses.get(child.name)
        fresh = last is None or child.age_s >= STEADY_S
        pause = FIRST_PAUSE_S if last is None or fresh else min(last * 2, LONGEST_PAUSE_S)
        self._pauses[child.name] = pause
        return pause
