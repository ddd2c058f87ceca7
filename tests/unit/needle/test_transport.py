"""Requests and their answers: images as resources, refusals, retries and a service that is gone."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from needle import NeedleApiError, NeedleUnreachable
from tests.conftest import REPO
from tests.unit.needle.helpers import Service, fields, job, ok, refused

# ---- images and the service


def test_images_are_listed_shown_fetched_and_deleted() -> None:
    row = {"image_id": "i 1", "filename": "a.jpg", "width": 4, "height": 3, "bytes": 9}
    service = Service(
        ok({"images": [{**row, "regions": 5}], "total": 1}),
        ok({**row, "regions": [{}, {}]}),
        httpx.Response(200, content=b"bytes"),
        ok(job(kind="delete", status="queued"), 202),
        ok(job(kind="delete")),
    )
    needle = service.needle()
    assert [image.regions for image in needle.images(collection="c")] == [5]
    assert needle.image("i 1").regions == 2
    assert needle.file("i 1") == b"bytes"
    needle.delete("i 1")
    assert service.requests[0].url.params["collection"] == "c"
    assert service.requests[2].url.raw_path == b"/api/v1/images/i%201/file"


def test_a_service_that_starts_still_tells_its_state() -> None:
    service = Service(ok({"status": "starting", "redis": True}, 503))
    assert service.needle().ready()["status"] == "starting"


# ---- errors and retries


def test_a_refusal_carries_status_code_message_and_details() -> None:
    service = Service(refused(404, "not_found"))
    with pytest.raises(NeedleApiError, match="It is not_found") as caught:
        service.needle().job("x")
    assert (caught.value.status, caught.value.code) == (404, "not_found")
    assert caught.value.details == {"fields": ["a"]}


def test_an_answer_of_another_shape_is_tolerated() -> None:
    with pytest.raises(NeedleApiError, match="502 Bad Gateway"):
        Service(httpx.Response(502, text="<html>")).needle().job("x")
    with pytest.raises(NeedleUnreachable, match="is not Needle"):
        Service(httpx.Response(200, text="<html>")).needle().job("x")


def test_a_busy_service_is_asked_again_after_the_time_it_names() -> None:
    service = Service(
        refused(429, "overloaded", {"Retry-After": "7"}),
        refused(503, "broker_unavailable"),
        refused(503, "broker_unavailable"),
        ok(job(), 202),
    )
    assert service.needle().index([("a", b"body")]).status == "succeeded"
    first, second, third = service.pauses
    assert 7 <= first <= 8
    assert 1 <= second <= 1.2 and 2 <= third <= 2.3, "the pauses double"
    assert all(fields(r) == {"files/a": "body"} for r in service.requests), "sent whole each time"


def test_a_request_whose_first_sending_is_still_handled_is_sent_again() -> None:
    service = Service(
        ok(job()),
        httpx.ReadError("the server died"),
        refused(409, "in_progress"),
        refused(409, "in_progress"),
        ok(job(), 202),
        refused(409, "encoder_mismatch"),
    )
    needle = service.needle()
    needle.job("j1")
    needle.index([b"x"])
    assert len(service.pauses) == 3
    with pytest.raises(NeedleApiError, match="encoder_mismatch"):
        needle.index([b"x"])


def test_retry_after_may_be_a_date() -> None:
    dated = refused(429, "overloaded", {"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"})
    service = Service(dated, ok(job()))
    service.needle().job("j1")
    assert service.pauses == [0.0]


def test_patience_ends_with_the_refusal() -> None:
    service = Service(refused(429, "overloaded", {"Retry-After": "100"}))
    with pytest.raises(NeedleApiError, match="overloaded"):
        service.needle(patience_s=60).job("j1")
    assert not service.pauses


def test_a_service_that_never_answered_is_reported_at_once() -> None:
    service = Service(httpx.ConnectError("refused"))
    with pytest.raises(NeedleUnreachable, match=r"No Needle answers at .*needle:8080"):
        service.needle().job("j1")
    assert not service.pauses


def test_a_connection_that_breaks_is_tried_again_where_that_does_no_harm() -> None:
    lost, down = httpx.ReadError("lost"), httpx.ConnectError("down")
    service = Service(ok(job()), lost, ok(job()), down, ok(job(), 202), lost, ok(job(), 202), lost)
    needle = service.needle()
    needle.job("j1")
    needle.job("j1")
    needle.index([b"x"])
    needle.search(text="x")
    with pytest.raises(NeedleUnreachable, match="did not answer: the connection broke off"):
        needle.cancel("j1")
    assert len(service.pauses) == 3


def test_a_request_that_is_sent_again_carries_the_same_key() -> None:
    service = Service(ok(job()), httpx.ReadError("lost"), ok(job(), 202), ok(job(), 202))
    needle = service.needle()
    needle.job("j1")
    needle.index([b"x"])
    needle.index([b"x"])
    keys = [request.headers.get("Idempotency-Key") for request in service.requests]
    assert keys[0] is None and keys[1] and keys[1] == keys[2] != keys[3]


# ---- the law


def test_the_client_imports_nothing_of_the_service() -> None:
    source = (
        "import sys, needle, needle.__main__\n"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('common', 'web', 'worker', 'machine', 'flask', 'torch', 'redis')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
