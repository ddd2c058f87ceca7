"""`needle search` with many queries: how it ends, and what is cancelled then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from needle.cli import ExitCode
from needle.cli.searches import many
from needle.jobs import Job
from needle.tally import Tally
from tests.unit.needle.cli.conftest import Run
from tests.unit.needle.cli.many import asked, rows, searches
from tests.unit.needle.fake_needle import FakeService, error


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
