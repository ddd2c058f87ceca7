"""When the engine's index is built, and what is told of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from common.catalogue import Catalogue, IndexState
from common.errors import StoreUnavailable
from common.job_list import JobList
from common.redis import Client
from worker import tending
from worker.tending import MUCH, QUIET_S, Tender, Watched
from worker.vectors.engine import Shelf, Sort, State
from worker.vectors.stores import VectorStore, WordStore

LEAST = 50_000


class Growing:
    """An engine of which only the state matters."""

    builds_itself = False

    def __init__(self) -> None:
        self.states: dict[Shelf, State] = {}
        self.optimized: list[Shelf] = []
        self.broken = False
        self.kept_aside: list[str] = []

    def aside(self) -> list[str]:
        """See Engine."""
        return self.kept_aside

    def state(self, shelf: Shelf) -> State:
        """See Engine."""
        return self.states.get(shelf, State())

    def optimize(self, shelf: Shelf) -> bool:
        """See Engine."""
        if self.broken:
            raise StoreUnavailable("no room")
        self.optimized.append(shelf)
        self.states[shelf] = replace(self.states[shelf], indexed=self.states[shelf].points)
        return True


@pytest.fixture
def engine() -> Growing:
    """Return an engine without points."""
    return Growing()


@pytest.fixture
def tender(engine: Any, redis: Client) -> Tender:
    """Return what looks after two collections."""
    catalogue = Catalogue(redis)
    for name in ("a", "b"):
        catalogue.bind(name, encoder="e", dim=4)
    return Tender(VectorStore(engine), WordStore(engine), catalogue, JobList(redis), LEAST)


def tend(tender: Tender, now: float) -> None:
    thread = tender.tend(now)
    if thread is not None:
        thread.join()


A, B = Shelf(Sort.REGIONS, "a"), Shelf(Sort.REGIONS, "b")


def test_what_is_pending_is_indexed_when_nothing_was_written_for_a_while(
    tender: Tender, engine: Growing
) -> None:
    engine.states[A] = State(points=LEAST, indexed=LEAST * 8 // 10)
    tend(tender, 0)
    engine.states[A] = State(points=LEAST + 1, indexed=LEAST * 8 // 10)
    tend(tender, QUIET_S)
    assert engine.optimized == [], "a batch came meanwhile"
    tend(tender, 2 * QUIET_S)
    tend(tender, 3 * QUIET_S)
    assert engine.optimized == [A]


@pytest.mark.parametrize(
    "state",
    [
        State(),
        State(points=LEAST - 1),
        State(points=10 * LEAST, indexed=10 * LEAST - LEAST // 2),
    ],
)
def test_few_points_need_no_index(state: State) -> None:
    watched = Watched()
    assert not watched.due(state, 0, least=LEAST)
    assert not watched.due(state, 1e6, least=LEAST)


def test_bulk_mode_ends_by_itself_where_that_was_asked_for(
    tender: Tender, engine: Growing, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[Shelf, bool]] = []
    monkeypatch.setattr(engine, "defer", lambda *call: ended.append(call), raising=False)
    Catalogue(redis).end_bulk_when_idle("a", 10)
    engine.states[A] = State(points=5, deferred=True)
    for now in (0, 10):
        tend(tender, now)
    assert ended == [(A, False)]


def test_a_server_that_refuses_to_end_it_keeps_nothing_else_from_being_told(
    tender: Tender, engine: Growing, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> bool:
        raise StoreUnavailable("not now")

    monkeypatch.setattr(engine, "defer", refused, raising=False)
    Catalogue(redis).end_bulk_when_idle("a", 10)
    for points, now in ((5, 0), (5, 10), (9, 20)):
        engine.states[A] = State(points=points, deferred=True)
        with suppress(StoreUnavailable):
            tend(tender, now)
    told = Catalogue(redis).index_state("a")
    assert told == IndexState(pending=9, optimizing=False, deferred=True)


def test_much_does_not_wait() -> None:
    assert Watched().due(State(points=MUCH + LEAST, indexed=LEAST), 0, least=LEAST)
    assert not Watched().due(State(points=3 * MUCH, indexed=2 * MUCH), 0, least=LEAST)


def test_a_failure_is_not_repeated_at_once(tender: Tender, engine: Growing) -> None:
    engine.broken = True
    engine.states[A] = State(points=2 * MUCH)
    tend(tender, 0)
    engine.broken = False
    tend(tender, tending.AGAIN_AFTER_S / 2)
    assert engine.optimized == []
    tend(tender, tending.AGAIN_AFTER_S)
    assert engine.optimized == [A]


def test_one_after_the_other(tender: Tender, engine: Growing) -> None:
    engine.states = {A: State(points=2 * MUCH), B: State(points=2 * MUCH)}
    tend(tender, 0)
    assert engine.optimized == [A]
    tend(tender, 1)
    assert engine.optimized == [A, B]


def test_a_server_indexes_by_itself(tender: Tender, engine: Growing) -> None:
    engine.builds_itself = True
    engine.states[A] = State(points=2 * MUCH)
    assert tender.tend(0) is None


def test_what_is_pending_is_told(tender: Tender, engine: Growing, redis: Client) -> None:
    engine.builds_itself = True
    engine.states = {
        A: State(points=LEAST + 5, indexed=LEAST, optimizing=True),
        B: State(points=LEAST - 1),
    }
    tender.tend(0)
    catalogue = Catalogue(redis)
    assert catalogue.index_state("a") == IndexState(pending=5, optimizing=True)
    assert catalogue.index_state("b") == IndexState(pending=0, optimizing=False), "too few"
    engine.states[A] = State(points=LEAST + 5, indexed=LEAST + 5)
    tender.tend(1)
    assert catalogue.index_state("a") == IndexState(pending=0, optimizing=False)


def test_what_is_pending_in_bulk_mode_is_told_however_few_there_are(
    tender: Tender, engine: Growing, redis: Client
) -> None:
    engine.builds_itself = True
    engine.states[B] = State(points=5, deferred=True)
    tender.tend(0)
    assert Catalogue(redis).index_state("b") == IndexState(5, False, deferred=True)


def test_an_old_collection_is_told_of_after_another_was_deleted(
    tender: Tender, redis: Client
) -> None:
    tender.tend(0)
    Catalogue(redis).forget_collection("a")
    tender.tend(1)
    assert Catalogue(redis).index_state("a") is None
    assert Catalogue(redis).index_state("b") == IndexState(0, False)


def test_what_was_set_aside_is_told_as_long_as_it_is_there(
    tender: Tender, engine: Growing, redis: Client
) -> None:
    engine.kept_aside = ["vectors/a.unreadable-1"]
    tender.tend(0)
    assert Catalogue(redis).aside() == ["vectors/a.unreadable-1"]
    engine.kept_aside = []
    tender.tend(1)
    assert Catalogue(redis).aside() == []
