"""Searches for many queries by the Python client: what is refused leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from needle import NeedleApiError, NeedleUnreachable, searches
from tests.unit.needle.helpers import Service, job, ok, refused

QUERIES: list[Mapping[str, Any]] = [{"image_id": str(number)} for number in range(3)]


@pytest.fixture(autouse=True)
def one_query_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "QUERIES_PER_REQUEST", 1)


def sent(service: Service) -> list[str]:
    return [f"{r.method} {r.url.path.removeprefix('/api/v1')}" for r in service.requests]


def test_requests_of_many_queries_are_one_job() -> None:
    service = Service(*(ok(job(name, "queued"), 202) for name in "abc"))
    assert service.needle().search_many(QUERIES).job_id == "a,b,c"
    assert sent(service) == ["POST /searches"] * 3


def test_where_a_later_request_is_refused_the_jobs_of_the_earlier_ones_are_cancelled() -> None:
    service = Service(
        ok(job("a", "queued"), 202),
        ok(job("b", "queued"), 202),
        refused(507, "disk_full"),
        refused(404, "not_found"),  # one that is gone already keeps no other from being cancelled
        ok(job("b", "cancelled")),
    )
    with pytest.raises(NeedleApiError, match="disk_full"):
        service.needle().search_many(QUERIES)
    assert sent(service)[-2:] == ["DELETE /jobs/a", "DELETE /jobs/b"]


def test_a_file_that_is_gone_cancels_what_was_sent_before_it() -> None:
    service = Service(ok(job("a", "queued"), 202), ok(job("a", "cancelled")))
    with pytest.raises(OSError, match=r"gone\.png"):
        service.needle().search_many([b"a query", b"another", "gone.png"])
    assert sent(service) == ["POST /searches", "DELETE /jobs/a"]


def test_a_service_without_searches_for_many_is_called_too_old() -> None:
    older = ok({"openapi": "3.1.0", "paths": {"/api/v1/search": {}}})
    service = Service(refused(404, "not_found"), older)
    with pytest.raises(NeedleApiError, match="earlier version") as caught:
        service.needle().search_many(QUERIES)
    assert (caught.value.status, caught.value.code) == (404, searches.TOO_OLD)


@pytest.mark.parametrize(
    "described",
    [ok({"paths": {"/api/v1/searches": {}}}), refused(401, "key_needed"), httpx.Response(200)],
)
def test_what_is_not_there_otherwise_is_said_as_the_service_says_it(
    described: httpx.Response,
) -> None:
    service = Service(refused(404, "not_found"), described)
    with pytest.raises(NeedleApiError, match="It is not_found"):
        service.needle().search_many(QUERIES)


def test_where_the_service_is_away_nothing_is_cancelled() -> None:
    service = Service(ok(job("a", "queued"), 202), httpx.ConnectError("refused"))
    with pytest.raises(NeedleUnreachable):
        service.needle(patience_s=0).search_many(QUERIES)
    assert sent(service) == ["POST /searches"] * 2


def test_the_first_job_that_cannot_be_cancelled_is_the_last_that_is_tried() -> None:
    service = Service(
        ok(job("a", "queued"), 202),
        ok(job("b", "queued"), 202),
        refused(507, "disk_full"),
        httpx.ConnectError("refused"),
    )
    with pytest.raises(NeedleApiError, match="disk_full"):
        service.needle(patience_s=0).search_many(QUERIES)
    assert sent(service)[3:] == ["DELETE /jobs/a"]
