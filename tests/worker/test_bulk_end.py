"""Bulk mode ends by itself when an ingest is over, and not before."""

from __future__ import annotations

from typing import Any

import pytest

from common.catalogue import Catalogue, IndexState
from common.contract.orders import IndexOrder
from common.job_store import JobStore
from common.jobs import Item, Kind
from common.redis import Client
from worker.bulk_end import BulkEnder
from worker.vectors.engine import Shelf, Sort, State
from worker.vectors.stores import VectorStore

IDLE_S = 60.0
SHOP = Shelf(Sort.REGIONS, "shop")


class Deferring:
    """An engine of which only the state matters."""

    def __init__(self) -> None:
        self.states = {SHOP: State(100, 0, deferred=True)}

    def state(self, shelf: Shelf) -> State:
        """See Engine."""
        return self.states.get(shelf, State())

    def defer(self, shelf: Shelf, on: bool) -> bool:
        """See Engine."""
        self.states[shelf] = State(self.states[shelf].points, 0, deferred=on)
        return True

    @property
    def on(self) -> bool:
        """Whether the collection is in bulk mode."""
        return self.states[SHOP].deferred


@pytest.fixture
def engine() -> Deferring:
    """Return an engine with a collection in bulk mode."""
    return Deferring()


@pytest.fixture
def jobs(redis: Client, redis_url: str) -> JobStore:
    """Return the jobs."""
    return JobStore(redis, url=redis_url, ttl_s=100)


@pytest.fixture
def catalogue(redis: Client) -> Catalogue:
    """Return the catalogue, by which its bulk mode is to end."""
    catalogue = Catalogue(redis)
    catalogue.end_bulk_when_idle("shop", IDLE_S)
    return catalogue


@pytest.fixture
def ender(engine: Any, catalogue: Catalogue, jobs: JobStore) -> BulkEnder:
    """Return what ends it."""
    return BulkEnder(VectorStore(engine), catalogue, jobs.list)


def test_it_ends_once_nothing_has_come_for_as_long_as_was_asked(
    ender: BulkEnder, engine: Deferring, catalogue: Catalogue
) -> None:
    assert ender.look(0) == ender.look(IDLE_S - 1) == []
    assert engine.on
    assert ender.look(IDLE_S) == ["shop"]
    assert not engine.on and catalogue.bulk_ends() == {}
    assert ender.look(2 * IDLE_S) == []


def test_points_that_come_begin_the_time_again(ender: BulkEnder, engine: Deferring) -> None:
    ender.look(0)
    engine.states[SHOP] = State(200, 0, deferred=True)
    assert ender.look(IDLE_S) == [] == ender.look(2 * IDLE_S - 1)
    assert ender.look(2 * IDLE_S) == ["shop"]


def test_a_job_that_indexes_into_the_collection_keeps_it_on(
    ender: BulkEnder, engine: Deferring, jobs: JobStore
) -> None:
    order = IndexOrder(collection="shop").details()
    jobs.create("elsewhere", Kind.INDEX, [Item(0, "a")], IndexOrder().details())
    jobs.create("slow", Kind.INDEX, [Item(0, "a")], order)
    ender.look(0)
    assert ender.look(IDLE_S) == [] and engine.on
    jobs.cancel("slow")
    assert ender.look(2 * IDLE_S - 1) == [], "it was at work a moment ago"
    assert ender.look(2 * IDLE_S) == ["shop"]


def test_what_is_ended_by_hand_or_gone_is_forgotten(
    ender: BulkEnder, engine: Deferring, catalogue: Catalogue
) -> None:
    catalogue.end_bulk_when_idle("gone", 1)
    engine.states[SHOP] = State(100, 0, deferred=False)
    assert ender.look(0) == [] and catalogue.bulk_ends() == {}


def test_it_is_ended_by_a_worker_that_has_begun_meanwhile(
    engine: Any, catalogue: Catalogue, jobs: JobStore, ender: BulkEnder
) -> None:
    ender.look(0)
    again = BulkEnder(VectorStore(engine), catalogue, jobs.list)
    assert again.look(IDLE_S) == [], "it has only begun to look"
    assert again.look(2 * IDLE_S) == ["shop"]


def test_collections_in_bulk_mode_are_named(catalogue: Catalogue) -> None:
    for name, deferred in (("shop", True), ("other", False), ("a", True)):
        catalogue.tell_index(name, IndexState(1, False, deferred))
    assert catalogue.in_bulk_mode() == ["a", "shop"]
    catalogue.forget_collection("shop")
    assert catalogue.in_bulk_mode() == ["a"] and catalogue.bulk_ends() == {}
