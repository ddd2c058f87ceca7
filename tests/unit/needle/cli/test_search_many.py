"""`needle search` with many queries: rows, what is asked again, how it ends."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from needle.cli import ExitCode, base
from needle.cli.searches import many
from needle.draw import open_upright
from needle.jobs import Job
from needle.tally import Tally
from tests.unit.needle.cli.conftest import Run, image
from tests.unit.needle.fake_needle import HIT, FakeService, error

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
    service.uploads.clear()
    return made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no request repeated."""
    monkeypatch.setattr(base.Shell.connect, "__kwdefaults__", {"patience_s": 0.0})


def rows(path: str = "results.csv") -> list[dict[str, Any]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def asked(service: FakeService) -> list[str]:
    """Return the files of the searches that the service took, in their order of names."""
    return sorted(name for names in service.uploads for name in names)


def searches(service: FakeService) -> list[httpx.Request]:
    return [r for r in service.requests if r.url.path.endswith("/searches")]


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
    (post,) = searches(service)
    assert b'name="hits_per_image"\r\n\r\n100' in post.content
    assert first["metadata.shop"] == "Basel" and not Path("results.csv.part").exists()


@pytest.mark.usefixtures("queries")
def test_a_query_that_is_nowhere_and_one_that_is_no_image_have_a_row(
    run: Run, service: FakeService
) -> None:
    Path("logos", "b.png").write_bytes(b"bad")
    service.result = {"found": False, "matches": []}
    ended = run("search", "logos/[ab].png", "-o", "results.csv")
    assert ended.status == ExitCode.FAILED and "failed logos/b.png: It is no image." in ended.err
    assert [(row["found"], row["error"]) for row in rows()] == [
        ("no", ""),
        ("", "It is no image."),
    ]
    assert run("search", "logos/a.png", "logos/c.png").status == ExitCode.NOTHING


@pytest.mark.usefixtures("queries")
def test_a_name_is_no_formula_in_a_spreadsheet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("logos")
    assert run("search", "=d.png", "-o", "results.csv").status == ExitCode.OK
    assert rows()[0]["query"] == "'=d.png"


@pytest.mark.usefixtures("queries")
def test_queries_that_are_all_bad_fail_one_by_one(run: Run, service: FakeService) -> None:
    for name in NAMES:
        Path("logos", name).write_bytes(b"bad " + name.encode())
    assert run("search", "logos", "-o", "results.csv").status == ExitCode.FAILED
    assert [row["error"] for row in rows()] == ["It is no image."] * 4
    assert not asked(service)


@pytest.mark.usefixtures("queries")
def test_a_run_that_was_cut_off_goes_on_and_asks_nothing_twice(
    run: Run, service: FakeService
) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        return error(500, "internal") if request.url.path.endswith("/results") else None

    service.before = answer
    words = ("search", "logos", "-o", "results.csv")
    broken = run(*words)
    assert broken.status == ExitCode.FAILED and "the same command fetches" in broken.err
    assert not Path("results.csv").exists()
    with Path("results.csv.part").open("a") as file:
        file.write('{"query": "logos/b.pn')  # as a crash leaves it
    service.before = lambda request: None
    ended = run(*words)
    assert ended.status == ExitCode.OK and "4 asked: 4 found" in ended.err
    assert asked(service) == sorted(f"logos/{name}" for name in NAMES) and len(rows()) == 8
    assert not list(Path().glob("results.csv.*"))


@pytest.mark.usefixtures("queries")
@pytest.mark.parametrize("lost", ["forgotten", "cancelled"])
def test_a_job_that_is_gone_or_was_cancelled_is_made_again(
    run: Run, service: FakeService, lost: str
) -> None:
    service.before = lambda r: error(500, "internal") if "/jobs/" in r.url.path else None
    words = ("search", "logos", "-o", "results.csv")
    assert run(*words).status == ExitCode.FAILED
    service.before = lambda request: None
    if lost == "forgotten":
        service.jobs.clear()
    else:
        service.jobs = {name: job | {"status": lost} for name, job in service.jobs.items()}
    assert run(*words).status == ExitCode.OK
    assert len(searches(service)) == 2 and len(rows()) == 8


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
    service.before = lambda r: error(500, "internal") if "/jobs/" in r.url.path else None
    words = ("search", "logos", "-o", "results.csv")
    run(*words)
    service.before = lambda request: None
    Path("logos", "a.png").write_bytes(image(7))
    assert run(*words).status == ExitCode.OK
    assert service.uploads[1:] == [["logos/a.png"]], "another image of that name"
    Path("results.csv.part").write_text('{"needle": 1, "plan": {"limit": 3}}\n')
    again = run(*words)
    assert again.status == ExitCode.OK and "was of another search" in again.err
    assert len(asked(service)) == 9, "all of them"


@pytest.mark.usefixtures("queries")
def test_ctrl_c_keeps_what_is_answered(
    run: Run, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = many.Run.take

    def pressed(self: many.Run, answer: Any) -> None:
        take(self, answer)
        raise KeyboardInterrupt

    monkeypatch.setattr(many.Run, "take", pressed)
    ended = run("search", "logos", "-o", "results.csv")
    assert ended.status == ExitCode.INTERRUPTED and "1 of 4 are answered" in ended.err
    monkeypatch.setattr(many.Run, "take", take)
    assert run("search", "logos", "-o", "results.csv").status == ExitCode.OK
    assert len(rows()) == 8


@pytest.mark.usefixtures("queries")
def test_ctrl_c_cancels_what_nobody_would_fetch(
    run: Run, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("needle.api.Needle.wait", pressed)
    assert run("search", "logos").status == ExitCode.INTERRUPTED
    assert [job["status"] for job in service.jobs.values()][-1] == "cancelled"
    assert run("search", "logos", "-o", "results.csv").status == ExitCode.INTERRUPTED
    assert [job["status"] for job in service.jobs.values()][-1] == "queued", "it is noted"
    service.before = lambda asked: error(403, "forbidden") if asked.method == "DELETE" else None
    assert run("search", "logos").status == ExitCode.INTERRUPTED, "whether it was cancelled or not"


@pytest.mark.usefixtures("queries")
def test_what_was_sent_before_a_refusal_is_cancelled_where_nobody_would_fetch_it(
    run: Run, service: FakeService, indexed: list[str]
) -> None:
    def full(request: httpx.Request) -> httpx.Response | None:
        named = request.headers.get("content-type") == "application/json"
        return error(507, "disk_full") if named else None

    service.before = full  # the files go first, what is named has a request of its own
    assert run("search", "logos", indexed[0]).status == ExitCode.FAILED
    assert [job["status"] for job in service.jobs.values()][-1] == "cancelled"
    assert run("search", "logos", indexed[0], "-o", "results.csv").status == ExitCode.FAILED
    assert [job["status"] for job in service.jobs.values()][-1] == "queued", "it is noted"


@pytest.mark.usefixtures("queries")
def test_a_service_of_before_searches_in_bulk_is_said_to_be_too_old(
    run: Run, service: FakeService
) -> None:
    def older(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/openapi.json":
            return httpx.Response(200, json={"paths": {"/api/v1/search": {}}})
        return error(404, "not_found") if request.url.path.endswith("/searches") else None

    service.before = older
    ended = run("search", "logos", "-o", "results.csv")
    assert ended.status == ExitCode.FAILED and "updated first" in ended.err
    assert not list(Path().glob("results.csv*"))


@pytest.mark.usefixtures("queries")
def test_a_busy_service_and_a_lost_connection_are_tried_again(
    run: Run, service: FakeService
) -> None:
    faults = [error(429, "overloaded"), error(503, "broker_unavailable"), httpx.ReadError("lost")]

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/searches") or not faults:
            return None
        fault = faults.pop(0)
        if isinstance(fault, Exception):
            raise fault
        return fault

    service.before = answer
    assert run("search", "logos", "-o", "results.csv").status == ExitCode.OK
    assert not faults and len(asked(service)) == 4


@pytest.mark.usefixtures("queries")
def test_urls_and_ids_are_a_job_of_their_own(
    run: Run, service: FakeService, indexed: list[str]
) -> None:
    url = "https://example.org/a.png"
    ended = run("search", url, "logos/a.png", indexed[0], "-o", "results.csv")
    assert ended.status == ExitCode.OK
    assert service.uploads[-2:] == [["logos/a.png"], [url, indexed[0]]]
    assert [row["query"] for row in rows()][::2] == [url, "logos/a.png", indexed[0]]


@pytest.mark.usefixtures("queries")
def test_what_is_found_is_drawn_into_a_folder_for_each_query(run: Run) -> None:
    ended = run("search", "logos/a.png", "logos/b.png", "-o", "all.csv", "-o", "drawn")
    assert ended.status == ExitCode.OK and "Drawn in drawn, a folder for each query" in ended.err
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
    assert b'name="limit"\r\n\r\n3' in searches(service)[-1].content


def test_who_ran_out_of_time_is_told_so(run: Run, service: FakeService, queries: Any) -> None:
    cut = {"checked": 7, "unchecked": 53, "complete": False}
    service.result = {**(service.result or {}), "verification": cut}
    assert "when 7 of 60 images had been double-checked" in run("search", "logos/a.png").err
    assert "In 4 time ran out" in run("search", "logos").err
    said = run("search", "logos/a.png", "--json")
    assert json.loads(said.out)["verification"]["complete"] is False


@pytest.mark.usefixtures("queries")
def test_a_job_of_many_queries_is_exported(run: Run, service: FakeService) -> None:
    Path("logos", "a.png").write_bytes(b"bad")
    run("search", "logos", "-o", "results.csv")
    job_id = next(name for name in service.jobs if name.startswith("searches"))
    assert run("export", job_id, "-o", "all.csv").status == ExitCode.OK
    found = rows("all.csv")
    assert [row["query"] for row in found].count("logos/b.png") == 4, "every hit, the doubtful too"
    told = [(row["path"], row["found"]) for row in found if row["query"] == "logos/b.png"]
    assert told == [("images/0.jpg", "yes")] * 3 + [("images/1.jpg", "no")], "no look-alike"
    assert [row["error"] for row in found if row["query"] == "logos/a.png"] == ["It is no image."]


@pytest.mark.usefixtures("queries", "impatient")
def test_a_service_that_dies_is_not_asked_to_cancel_anything(
    run: Run, service: FakeService, indexed: list[str]
) -> None:
    cancelled: list[str] = []

    def dead(request: httpx.Request) -> httpx.Response | None:
        if request.method == "DELETE":
            cancelled.append(request.url.path)
        if "/jobs/" in request.url.path:
            raise httpx.ConnectError("refused")
        return None

    service.before = dead
    assert run("search", "logos", indexed[0]).status == ExitCode.UNREACHABLE
    assert len(searches(service)) == 2 and not cancelled


@pytest.mark.usefixtures("queries", "impatient")
def test_of_many_jobs_none_is_cancelled_after_one_that_cannot_be(
    run: Run, service: FakeService, indexed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: set[str] = set()

    def dead(request: httpx.Request) -> httpx.Response | None:
        if request.method == "DELETE":
            asked_for.add(request.url.path)
            raise httpx.ConnectError("refused")
        return None

    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    service.before = dead
    monkeypatch.setattr("needle.api.Needle.wait", pressed)
    assert run("search", "logos", indexed[0]).status == ExitCode.INTERRUPTED
    assert len(searches(service)) == 2 and len(asked_for) == 1


@pytest.mark.usefixtures("queries")
def test_the_progress_never_runs_backwards(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    tally = many.Run.tally

    def noted(self: many.Run, job: Job | None = None) -> Tally:
        made = tally(self, job)
        seen.append(made.done + made.failed)
        return made

    monkeypatch.setattr(many.Run, "tally", noted)
    Path("logos", "b.png").write_bytes(b"bad")
    assert run("search", "logos").status == ExitCode.FAILED
    assert seen == sorted(seen) and seen[1] == seen[-1] == 4, "the job had ended before any answer"


@pytest.mark.usefixtures("queries")
def test_what_is_no_query_is_said_and_archives_are_not_unpacked(run: Run) -> None:
    Path("logos", "notes.txt").write_text("no image")
    assert "Left out: 1 .txt (no images)." in run("search", "logos").err
    Path("packed").mkdir()
    Path("packed", "a.ZIP").write_bytes(b"PK")
    ended = run("search", "packed")
    assert ended.status == ExitCode.USAGE
    assert "Left out: 1 .zip (no images; archives are not unpacked for a search)." in ended.err
    named = run("search", "logos", "packed/a.ZIP")
    assert named.status == ExitCode.USAGE and "a.ZIP is an archive" in named.err
