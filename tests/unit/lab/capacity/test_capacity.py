"""The capacity model: its sums, and a simulation that agrees with what is known of queues."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab.capacity import loads
from lab.capacity.__main__ import main
from lab.capacity.measured import Measured, Photo, read
from lab.capacity.model import Demand, Prices, limits, plan
from lab.capacity.simulation import Draw, Indexing, Searching, indexing_s, searches

SCALE = Path(__file__).resolve().parents[4] / "docs" / "SCALE.md"
SMALL = Photo(1, 100, 1, 10, 1000, 100, 50)
LARGE = Photo(3, 300, 5, 30, 3000, 300, 150)
MEASURED = Measured("", SMALL, LARGE, 700, 10_000, 0.2, ((1e4, 1.0), (1e6, 10.0)))


def exponential(mean: float, seed: int) -> Draw:
    rng = np.random.default_rng(seed)
    return lambda: float(rng.exponential(mean))


def test_costs_lie_on_the_line_through_the_two_sizes() -> None:
    assert MEASURED.photo(2) == Photo(2, 200, 3, 20, 2000, 200, 100)
    assert MEASURED.photo(4).processor_s == 7


def test_the_engine_slows_by_a_power_of_its_points() -> None:
    assert MEASURED.engine_ms(1e5) == pytest.approx(math.sqrt(10))
    assert MEASURED.engine_ms(1e8) == pytest.approx(100)
    assert replace(MEASURED, engine=((1e4, 2.0),)).engine_ms(1e8) == pytest.approx(2)


def test_a_plan_adds_up() -> None:
    demand = Demand(1e6, megapixels=1, days=1, searches_per_s=70, copies=3, shard_points=1e6)
    told = plan(demand, MEASURED, Prices(cores=10, memory_gb=1))
    assert (told.regions, told.shards) == (1e7, 10)
    assert told.index_machines == math.ceil(1e6 / 86_400 / 0.7 / 10)
    assert told.search_machines == 2
    assert told.vector_bytes == 1e6 * 1100 * 3
    assert told.vector_machines == math.ceil(told.vector_bytes / 0.7e9)
    assert told.object_bytes == 1e6 * 150
    assert plan(replace(demand, regions=5), MEASURED, Prices()).regions == 5e6


def test_what_breaks_first_is_said_first() -> None:
    found = limits(Demand(1e6, megapixels=1), MEASURED, Prices(memory_gb=1))
    assert [limit.photos for limit in found] == sorted(limit.photos for limit in found)
    embedded = next(limit for limit in found if "embedded" in limit.what)
    assert embedded.photos == pytest.approx(0.7e9 / 1100)


def test_a_simulated_queue_waits_as_the_theory_says() -> None:
    """M/M/1: at half load an answer takes twice the service time; M/M/2 at half load, 4/3."""
    for servers, per_s, times in ((1, 5.0, 2.0), (2, 10.0, 4 / 3)):
        service = Searching(servers, exponential(0.1, 1), longest_wait_s=math.inf)
        answered = searches(service, 8000.0, per_s=per_s)
        assert np.mean(answered.seconds) == pytest.approx(0.1 * times, rel=0.05)
        assert answered.per_s == pytest.approx(per_s, rel=0.03)


def test_the_slowest_shard_decides() -> None:
    """Of n exponential times the greatest is the harmonic number of n times their mean."""
    service = Searching(1, lambda: 1.0, shards=50, shard_took=exponential(0.02, 2))
    seconds = searches(service, 3000.0, clients=1).seconds
    harmonic = sum(1 / n for n in range(1, 51))
    assert np.mean(seconds) - 1 == pytest.approx(0.02 * harmonic, rel=0.05)


def test_more_clients_than_can_be_served_are_refused_not_kept_waiting() -> None:
    service = Searching(2, lambda: 0.2, longest_wait_s=1.0)
    answered = searches(service, 100.0, clients=50)
    assert answered.refused
    assert answered.ms(100) <= 1000 + 200 + 200 + 1e-6
    assert answered.per_s == pytest.approx(10, rel=0.02)


def test_workers_add_up_until_the_owner_of_the_index_is_full() -> None:
    def took(workers: int, owners: int) -> float:
        service = Indexing(workers, lambda: 1.0, lambda: 0.1, owners=owners)
        return indexing_s(service, 800)

    assert took(1, 1) == pytest.approx(800, rel=0.01)
    assert took(4, 1) == pytest.approx(200, rel=0.02)
    assert took(40, 1) == pytest.approx(80, rel=0.15)
    # Three rounds of a chunk; the last round's twenty chunks come at once, to four owners.
    assert took(40, 4) == pytest.approx(24 + 4, rel=0.02)


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading of docs/SCALE.md."""
    below = SCALE.read_text().partition(f"\n## {heading}\n")[2].splitlines()
    from_there = itertools.dropwhile(lambda line: not line.startswith("|"), below)
    table = itertools.takewhile(lambda line: line.startswith("|"), from_there)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table][2:]


def test_the_simulation_says_what_real_workers_did() -> None:
    """`make scaling`, whose figures docs/SCALE.md has: one worker is given, more are simulated."""
    alone, *more = rows("Workers, measured")
    photo_s, search_s = 1 / float(alone[1]), 1 / float(alone[4])
    assert len(more) == 2
    for row in more:
        count = int(row[0])
        index = Indexing(count, lambda: photo_s, lambda: 0.017, chunk=4)
        photos_per_s = 75 * count / indexing_s(index, 75 * count)
        found = searches(Searching(count, lambda: search_s), 120.0, clients=4 * count)
        for measured, written, simulated in (
            (row[1], row[3], photos_per_s),
            (row[4], row[6], found.per_s),
        ):
            assert simulated == pytest.approx(float(measured), rel=0.1)
            assert simulated == pytest.approx(float(written), rel=0.01)


def test_the_plan_of_the_document_is_the_models(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["plan"]) == 0
    printed = {
        cells[0]: cells[1:]
        for line in capsys.readouterr().out.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("│").split("│")]) == 4
    }
    told = {row[0]: row[1:] for row in rows("What comes out")}
    for said, name in {
        "machines that index them": "machines that index them in 30 days",
        "what indexing costs, once": "what indexing them costs",
        "machines for searches": "machines for 10 searches a second",
        "machines of the vector store": "machines of the vector store",
        "its shards, of 50 million points": "its shards",
    }.items():
        assert told[said] == printed[name], said
    assert told["a month"][:2] == printed["a month"][:2]


def test_a_dead_worker_costs_its_lease_and_loses_nothing() -> None:
    service = Indexing(4, lambda: 1.0, lambda: 0.01, dies_at_s=190.0, lease_s=30.0)
    assert 200 + 20 < indexing_s(service, 800) < 200 + 45
    assert indexing_s(replace(service, workers=1), 800) == math.inf


def test_the_shipped_constants_are_read_and_others_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read().small.regions > 0
    for arguments in (["plan", "--photos", "1e6"], ["limits"]):
        assert main(arguments) == 0
    assert "1,000,000" in capsys.readouterr().out
    other = tmp_path / "other.json"
    other.write_text('{"small": {}}')
    with pytest.raises(ValueError, match="no measured constants"):
        read(other)


def test_a_deployment_whose_only_worker_dies_never_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["simulate", "--shards", "1"]) == 0
    printed = capsys.readouterr().out
    assert "it never ends" in printed and "inf" not in printed


def test_a_measured_load_and_its_simulation_fit_eighty_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(loads, "ask", lambda *_: loads.Load(2, 4.0, [0.25] * 16))
    (tmp_path / "query.jpg").write_bytes(b"")
    words = ["--url", "http://127.0.0.1:1", "--collection", "x", "--queries", str(tmp_path)]
    assert main(["held", *words, "--clients", "2"]) == 0
    printed = capsys.readouterr().out
    assert "Measured / simulated" in printed and "searches/s" in printed and "…" not in printed
