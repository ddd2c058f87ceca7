"""Load: who asks when, and what counts of what is answered."""

from __future__ import annotations

import math
import threading
import time

import pytest

from lab.load.__main__ import IDLE, INDEXING, drawn, told
from lab.load.asking import at_rate, closed
from lab.load.figures import Asked, Step, goodput, peak, step


def one(name: str, per_s: float, p95_s: float = 1.0) -> Step:
    return Step(name, 10, per_s, 0, 0, p95_s / 2, p95_s, math.nan)


def test_an_answer_counts_where_it_arrives_and_once_the_load_has_settled() -> None:
    every = [
        Asked(100.0, 101.0, 200),  # before it had settled
        Asked(101.0, 103.0, 200),
        Asked(104.0, 105.0, 200),
        Asked(104.0, 104.1, 429, 3.0),
        Asked(105.0, 106.0, 202),
        Asked(105.0, 106.0, 0),
        Asked(107.0, 112.0, 200),  # too late
    ]
    found = step("load", every, 100.0, 2.0, 10.0)
    assert (found.asked, found.refused, found.failed) == (5, 1, 2)
    assert found.per_s == pytest.approx(2 / 8)
    assert (found.p50_s, found.p95_s) == (1.0, 2.0)
    assert found.refused_p95_s == pytest.approx(0.1)


def test_the_peak_and_what_is_left_of_it() -> None:
    steps = [one("1 client", 3.0), one("2 clients", 5.0), one("2 x the peak, 10.0 a second", 4.5)]
    assert peak(steps) == 5.0
    assert goodput(steps[2], peak(steps)) == 0.9
    steps += [one(IDLE, 3.0, 0.5), one(INDEXING, 2.0, 0.9)]
    assert told(steps)[1:] == [
        "goodput at 2 x the peak, 10.0 a second: 0.90 of the peak",
        "p95 of a search while photos are indexed: 1.80 times that of idle",
    ]
    assert drawn(steps, "").markdown().count("\n| ") == len(steps) + 2


def test_each_client_asks_when_it_was_answered_and_waits_when_it_is_refused() -> None:
    meeting, met = threading.Barrier(3, timeout=30), threading.Event()

    def ask(due: float) -> Asked:
        if not met.is_set():
            meeting.wait()  # three ask at the same time
            met.set()
        time.sleep(0.01)
        return Asked(due, time.monotonic(), 200)

    assert len(closed(ask, 3, 1.0)) >= 3
    assert met.is_set()
    refused = closed(lambda due: Asked(due, time.monotonic(), 429, 60.0), 3, 1.0)
    assert len(refused) == 3


def test_a_rate_is_kept_though_nobody_is_answered() -> None:
    def slow(due: float) -> Asked:
        time.sleep(0.3)
        return Asked(due, time.monotonic(), 200)

    began = time.monotonic()
    found = at_rate(slow, 100.0, 0.2)
    assert len(found) == 20
    assert time.monotonic() - began < 2.0
    dues = sorted(asked.due for asked in found)
    assert dues[-1] - dues[0] == pytest.approx(0.19)
