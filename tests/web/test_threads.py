"""What may hold a thread is bounded, and all of it together leaves some for short requests."""

from __future__ import annotations

from web import file_answers, sending, server, waiting
from web.__main__ import THREADS


def test_what_may_hold_threads_leaves_some() -> None:
    bounds = (waiting.PLACES, sending.PLACES, server.RECEIVING, server.EMPTYING)
    assert THREADS - sum(bounds) - file_answers.CUTTING >= 32
