"""`needle search` with many queries: rows, what is asked again, how it ends."""

from __future__ import annotations

import csv
import json
import os
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from needle.cli import ExitCode
from needle.cli.searches import many
from needle.draw import open_upright
from tests.unit.needle.cli.conftest import Run, image
from tests.unit.needle.fake_needle import HIT, FakeService, error, parts

NAMES = ("a.png", "b.png", "c.png", "=d.png")


@pytest.fixture
def queries(indexed: list[str], service: FakeService) -> dict[str, bytes]:
    """Make a folder of queries; all are found in one of the two images, and nowhere else."""
    Path("logos").mkdir()
    made = {name: image(100 + number) for number, name in enumerate(NAMES)}
    for name, content in made.items():
        Path("logos", name).write_bytes(content)
    found = service.images[indexed[0]]
    sure = {**found, "score": 0.9, "probability": 0.97, "verified": True, "count": 2}
    doubt = {**service.images[indexed[1]], "score": 0.4, "probability": 0.02, "hits": [HIT]}
    local = {**HIT, "source": "local", "verified": True}
    hits = [local, {**HIT, "box": [0, 0, 400, 300]}, {**local, "box": [50, 50, 90, 90]}]
    service.result = {"found": True, "matches": [{**sure, "hits": hits}, doubt]}
    service.requests.clear()
    return made


def rows(path: str = "results.csv") -> list[dict[str, Any]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def asked(service: FakeService) -> list[str]:
    """Return the files of the searches that were answered, in their order of names."""
    posts = searches(service)
    return sorted(next(str(name) for _, name, _ in parts(request) if name) for request in posts)


def searches(service: FakeService) -> list[httpx.Request]:
    return [r for r in service.requests if r.url.path.endswith("/search")]


@pytest.mark.usefixtures("queries")
def test_each_place_of_each_query_is_a_row(run: Run, service: FakeService) -> None:
    ended = run("search", "logos", "--out", "results.csv")
    assert ended.status == ExitCode.OK
    assert "4 asked: 4 found, 0 not found, 0 failed; 8 places in results.csv" in ended.err
    found = rows()
    assert [row["query"] for row in found] == [f"logos/{n}" for n in sorted(NAMES) for _ in "12"]
    first, second = found[:2]
    assert (first["path"], first["probability"], first["verified"]) == (
        "images/0.jpg",
        "0.97",
        "yes",
    )
    assert [first[corner] for corner in ("x1", "y1", "x2", "y2")] == ["10", "10", "40", "30"]
    assert (second["x1"], second["count"]) == ("50", "2"), "a place that is not verified is none"
    assert all(b'name="hits_per_image"\r\n\r\n100' in r.content for r in searches(service))
    assert first["metadata.shop"] == "Basel" and not Path("results.csv.part").exists()


@pytest.mark.usefixtures("queries")
def test_a_query_that_is_nowhere_and_one_that_is_no_image_have_a_row(
    run: Run, service: FakeService
) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        bad = request.url.path.endswith("/search") and b"b.png" in request.content
        return error(415, "invalid_image") if bad else None

    service.before = answer
    service.result = {"found": False, "matches": []}
    ended = run("search", "logos/[ab].png", "-o", "results.csv")
    assert (
        ended.status == ExitCode.FAILED and "failed logos/b.png: It is invalid_image." in ended.err
    )
    assert [(row["found"], row["error"]) for row in rows()] == [
        ("no", ""),
        ("", "It is invalid_image."),
    ]
    assert run("search", "logos/a.png", "logos/c.png").status == ExitCode.NOTHING


@pytest.mark.usefixtures("queries")
def test_a_name_is_no_formula_in_a_spreadsheet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("logos")
    assert run("search", "=d.png", "-o", "results.csv").status == ExitCode.OK
    assert rows()[0]["query"] == "'=d.png"


@pytest.mark.usefixtures("queries")
def test_a_run_that_was_cut_off_goes_on_and_asks_nothing_twice(
    run: Run, service: FakeService
) -> None:
    posts = 0

    def answer(request: httpx.Request) -> httpx.Response | None:
        nonlocal posts
        posts += request.url.path.endswith("/search")
        return error(500, "internal") if posts == 3 else None

    service.before = answer
    words = ("search", "logos", "-o", "results.csv", "--in-flight", "1")
    broken = run(*words)
    assert broken.status == ExitCode.FAILED and "2 of 4 are answered" in broken.err
    assert "the same command goes on" in broken.err and not Path("results.csv").exists()
    with Path("results.csv.part").open("a") as file:
        file.write('{"query": "logos/b.pn')  # as a crash leaves it
    ended = run(*words)
    assert ended.status == ExitCode.OK and "2 queries were answered before" in ended.err
    assert asked(service) == sorted(NAMES) and len(rows()) == 8
    assert not list(Path().glob("results.csv.*"))


@pytest.mark.usefixtures("queries")
def test_a_service_that_is_away_from_the_start_leaves_no_file(
    run: Run, service: FakeService
) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    service.before = away
    ended = run("search", "logos", "-o", "results.csv")
    assert ended.status == ExitCode.UNREACHABLE and "No Needle answers" in ended.err
    assert not list(Path().glob("results.csv*"))


@pytest.mark.usefixtures("queries")
def test_what_is_asked_otherwise_or_has_changed_is_asked_again(
    run: Run, service: FakeService
) -> None:
    service.before = lambda request: error(500, "internal") if b"c.png" in request.content else None
    words = ("search", "logos", "-o", "results.csv", "--in-flight", "1")
    run(*words)
    service.before = lambda request: None
    Path("logos", "a.png").write_bytes(image(7))
    assert run(*words).status == ExitCode.OK
    assert asked(service) == sorted([*NAMES, "a.png"]), "another image of that name"
    Path("results.csv.part").write_text('{"needle": 1, "plan": {"limit": 3}}\n')
    again = run(*words)
    assert again.status == ExitCode.OK and "was of another search" in again.err
    assert len(asked(service)) == 9


@pytest.mark.usefixtures("queries")
def test_ctrl_c_keeps_what_is_answered(
    run: Run, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = many.Run.take

    def pressed(self: many.Run, answer: Any) -> None:
        take(self, answer)
        raise KeyboardInterrupt

    monkeypatch.setattr(many.Run, "take", pressed)
    ended = run("search", "logos", "-o", "results.csv", "--in-flight", "1")
    assert ended.status == ExitCode.INTERRUPTED and "1 of 4 are answered" in ended.err
    monkeypatch.setattr(many.Run, "take", take)
    assert run("search", "logos", "-o", "results.csv").status == ExitCode.OK
    assert len(rows()) == 8


@pytest.mark.usefixtures("queries")
def test_a_busy_service_and_a_lost_connection_are_tried_again(
    run: Run, service: FakeService
) -> None:
    busy = [error(429, "overloaded"), error(503, "broker_unavailable")]
    lock, seen, lost = threading.Lock(), set[str](), threading.Event()

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/search"):
            return None
        query = next(name for _, name, _ in parts(request) if name)
        with lock:
            if query not in seen:
                seen.add(query)
                return busy.pop() if busy else None
            # Only what was answered before comes again: a service that never was is given up.
            if not lost.is_set():
                lost.set()
                raise httpx.ReadError("lost")
        return None

    service.before = answer
    assert run("search", "logos", "-o", "results.csv").status == ExitCode.OK
    assert not busy and lost.is_set() and asked(service) == sorted(NAMES)


@pytest.mark.usefixtures("queries")
def test_no_more_searches_are_under_way_than_were_allowed(run: Run, service: FakeService) -> None:
    under_way, most = set[int](), 0
    barrier = threading.Barrier(2, timeout=20)

    def answer(request: httpx.Request) -> httpx.Response | None:
        nonlocal most
        if request.url.path.endswith("/search"):
            under_way.add(threading.get_ident())
            most = max(most, len(under_way))
            barrier.wait()  # two are there, and no third can be
            under_way.discard(threading.get_ident())
        return None

    service.before = answer
    assert run("search", "logos", "-o", "results.csv", "--in-flight", "2").status == ExitCode.OK
    assert most == 2


@pytest.mark.usefixtures("queries")
def test_what_is_found_is_drawn_into_a_folder_for_each_query(run: Run) -> None:
    assert run("search", "logos/a.png", "logos/b.png", "-o", "drawn").status == ExitCode.OK
    assert sorted(str(path) for path in Path("drawn").rglob("*.*")) == [
        "drawn/logos-a/01-0.jpg",
        "drawn/logos-a/query.png",
        "drawn/logos-b/01-0.jpg",
        "drawn/logos-b/query.png",
    ]
    assert open_upright("drawn/logos-a/01-0.jpg").size == (400, 300)


def test_one_query_is_drawn_into_a_folder_without_look_alikes(
    run: Run, service: FakeService, queries: dict[str, bytes]
) -> None:
    assert run("search", "logos/a.png", "-o", "drawn").status == ExitCode.OK
    assert sorted(os.listdir("drawn")) == ["01-0.jpg", "query.png"]
    Path("logos", "e.heic").write_bytes(b"no format of Pillow's")
    assert run("search", "logos/e.heic", "-o", "he.ic/").status == ExitCode.OK
    assert sorted(os.listdir("he.ic")) == ["01-0.jpg", "query.heic"], "as it is"
    service.result = {"found": False, "matches": []}
    ended = run("search", "logos/a.png", "-o", "nothing")
    assert ended.status == ExitCode.NOTHING and "Nothing is drawn" in ended.err


@pytest.mark.usefixtures("queries")
def test_many_queries_are_a_table_for_people_and_lines_for_programs(
    run: Run, service: FakeService
) -> None:
    shown = run("search", "logos/a.png", "logos/b.png", terminal=True)
    assert "logos/b.png" in shown.out and "97 %" in shown.out and "10,10,40,30" in shown.out
    lines = run("search", "logos/a.png", "logos/b.png").out.splitlines()
    assert lines[0].split("\t")[:2] == ["query", "found"] and len(lines) == 5
    least = run("search", "logos", "--min-probability", "0.98", "-n", "3")
    assert least.status == ExitCode.NOTHING and "4 not found" in least.err
    assert b'name="limit"\r\n\r\n3' in service.requests[-1].content


def test_who_ran_out_of_time_is_told_so(run: Run, service: FakeService, queries: Any) -> None:
    cut = {"checked": 7, "unchecked": 53, "complete": False}
    service.result = {**(service.result or {}), "verification": cut}
    assert "when 7 of 60 images had been double-checked" in run("search", "logos/a.png").err
    assert "In 4 time ran out" in run("search", "logos").err
    said = run("search", "logos/a.png", "--json")
    assert json.loads(said.out)["verification"]["complete"] is False
