"""Work done ahead comes in order, is bounded, and ends with whoever uses it."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from worker.looking_ahead import in_order


def test_results_come_in_order_whichever_ends_first() -> None:
    second_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(10)
        if item == 1:
            second_is_done.set()
        return item * item

    assert list(in_order(work, range(4), threads=2, ahead=2)) == [(0, 0), (1, 1), (2, 4), (3, 9)]


def test_no_more_is_begun_than_it_may_and_nothing_after_the_end() -> None:
    begun: list[int] = []
    with closing(in_order(begun.append, range(100), threads=2, ahead=3)) as results:
        assert next(results) == (0, None)
    assert set(begun) <= set(range(4))


def test_what_goes_wrong_comes_out_where_the_result_would() -> None:
    def work(item: int) -> int:
        return 1 // item

    results = in_order(work, [1, 0, 1], threads=1, ahead=1)
    assert next(results) == (1, 1)
    with pytest.raises(ZeroDivisionError):
        next(results)
