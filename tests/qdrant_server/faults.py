"""Faults to order: an answer that is slow, of the wrong status, that never comes or breaks off."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field


class Fault(BaseModel, extra="forbid"):
    """What strikes which requests, and how often."""

    kind: Literal["slow", "status", "hang", "cut"]
    status: int = Field(500, ge=400, le=599)
    """What is answered by `status`."""
    seconds: float = Field(3600, gt=0)
    """How much later `slow` answers; for how long `hang` says nothing before it hangs up."""
    times: int | None = Field(None, ge=1)
    """How many requests are struck; None: all, until faults are taken back."""
    share: float = Field(1.0, gt=0, le=1)
    """Which share of the requests is struck."""
    done: bool = False
    """Whether the request is carried out first, so that only the answer is lost."""
    path: str = ""
    """A regular expression that the request's `METHOD /path` holds."""


@dataclass
class Ordered:
    """A fault that was ordered, and how many requests it may still strike."""

    fault: Fault
    left: int | None
    over: threading.Event


class Faults:
    """Those that are ordered. The first that fits a request strikes it."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._ordered: list[Ordered] = []
        self.struck = 0

    def order(self, fault: Fault) -> None:
        """Have a fault strike from now on."""
        with self._lock:
            self._ordered.append(Ordered(fault, fault.times, threading.Event()))

    def take_back(self) -> None:
        """Take all faults back; what hangs hangs up."""
        with self._lock:
            for one in self._ordered:
                one.over.set()
            self._ordered.clear()

    def strike(self, method: str, path: str) -> Ordered | None:
        """Return what strikes a request, None where nothing does."""
        with self._lock:
            for one in self._ordered:
                fault = one.fault
                if one.left == 0 or not re.search(fault.path, f"{method} {path}"):
                    continue
                if self._chance.random() >= fault.share:
                    continue
                if one.left is not None:
                    one.left -= 1
                self.struck += 1
                return one
        return None
