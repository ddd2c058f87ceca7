"""The client against a stand-in for the service: what it sends, and what it makes of answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from client import (
    JobFailed,
    Needle,
    NeedleApiError,
    NeedleUnreachable,
    TimedOut,
    uploads,
)
from client.bulk import index_all

Handler = Callable[[httpx.Request], httpx.Response]


def job(job_id: str = "j1", status: str = "succeeded", **more: Any) -> dict[str, Any]:
    progress = {"total": 2, "done": 2, "failed": 0, "rate_per_s": 4.0, "eta_s": 0.0}
    return {"job_id": job_id, "kind": "index", "status": status, "progress": progress, **more}


FOUND = {
    "matches": [
        {
            "image_id": "i1",
            "score": 0.9,
            "distance": 0.1,
            "filename": "shelf.jpg",
            "width": 100,
            "height": 50,
            "metadata": {"shop": "x"},
            "urls": {"file": "/f"},
            "hits": [
                {"box": [1, 2, 3, 4], "score": 0.9, "source": "tile", "label": None, "new": 1}
            ],
            "of_a_newer_service": True,
        }
    ],
    "timings_ms": {"total": 5.0},
    "index": {"images": 1, "regions": 33},
}


class Service:
    """Answers from a script and keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def needle(self, **options: Any) -> Needle:
        return Needle(
            "http://needle:8080/",
            transport=httpx.MockTransport(self),
            sleep=self.pauses.append,
            **options,
        )


def ok(body: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


def refused(status: int, code: str, headers: dict[str, str] | None = None) -> httpx.Response:
    error = {"code": code, "message": f"It is {code}.", "fields": ["a"]}
    return httpx.Response(status, json={"error": error}, headers=headers)


def fields(request: httpx.Request) -> dict[str, str]:
    """Return the parts of a multipart request: name -> content, files as name/filename."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    found = {}
    for part in request.content.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb' name="([^"]*)"(?:; filename="([^"]*)")?', head)
        assert name
        found["/".join(n.decode() for n in name.groups() if n)] = content.decode()
    return found


# ---- indexing


def test_photos_are_posted_with_their_options(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"first")
    service = Service(ok(job(status="queued"), 202))
    sources = [tmp_path / "a.jpg", b"second", ("c.png", b"third")]
    made = service.needle().index(
        sources, collection="shop", metadata={"k": 1}, confidence_threshold=0.3, batch_size=4
    )
    assert (made.job_id, made.status, made.final) == ("j1", "queued", False)
    request = service.requests[0]
    assert (request.method, request.url.path) == ("POST", "/api/v1/images")
    assert fields(request) == {
        "collection": "shop",
        "metadata": '{"k": 1}',
        "confidence_threshold": "0.3",
        "batch_size": "4",
        "files/a.jpg": "first",
        "files/image-1": "second",
        "files/c.png": "third",
    }


def test_many_photos_become_requests_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = list(uploads.requests([b"12345"] * 5, max_bytes=12, max_files=10))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert [len(b) for b in uploads.requests([b"1"] * 5, max_files=2)] == [2, 2, 1]
    assert [len(b) for b in uploads.requests([b"1" * 99, b"1"], max_bytes=12)] == [1, 1]


def test_the_jobs_of_several_requests_are_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads.requests, "__kwdefaults__", {"max_bytes": 1, "max_files": 1})
    service = Service(
        ok(job("a", "queued"), 202),
        ok(job("b", "queued"), 202),
        ok(job("a", "partial")),
        ok(job("b", "started")),
        ok(job("b", "succeeded")),
        ok({"items": [{"index": 0, "name": "x", "status": "indexed"}], "total": 1}),
        ok({"items": [{"index": 0, "name": "y", "status": "failed"}], "total": 1}),
    )
    needle = service.needle()
    made = needle.index([b"1", b"2"])
    assert made.job_id == "a,b" and made.progress.total == 4
    states: list[str] = []
    done = needle.wait(made, on_progress=lambda now: states.append(now.status))
    assert (done.status, done.progress.ended, states) == ("partial", 4, ["started", "partial"])
    assert [item.name for item in needle.items(done)] == ["x", "y"]


def test_nothing_to_index_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="nothing to index"):
        Service().needle().index([])


def test_urls_are_posted_as_json() -> None:
    service = Service(ok(job(), 202))
    service.needle().index_urls(["http://a/b.jpg"], metadata={"k": "v"})
    assert json.loads(service.requests[0].content) == {
        "urls": ["http://a/b.jpg"],
        "metadata": {"k": "v"},
    }


def test_items_are_paged_through() -> None:
    pages = [
        ok({"items": [{"index": n, "name": str(n), "status": "indexed"}], "total": 2})
        for n in range(2)
    ]
    service = Service(*pages)
    assert [item.index for item in service.needle().items("j1")] == [0, 1]
    assert [r.url.params["offset"] for r in service.requests] == ["0", "1"]


# ---- waiting


def test_waiting_ends_with_the_job_and_tells_each_state() -> None:
    service = Service(ok(job(status="queued")), ok(job(status="started")), ok(job()))
    needle = service.needle()
    seen: list[str] = []
    made = needle.job("j1")
    done = needle.wait(made, on_progress=lambda now: seen.append(now.status))
    assert done.status == "succeeded" and seen == ["started", "succeeded"]
    assert service.requests[-1].url.path == "/api/v1/jobs/j1"


def test_a_job_that_does_not_end_is_given_up_after_the_time() -> None:
    service = Service(*[ok(job(status="started"))] * 3)
    needle = service.needle()
    with pytest.raises(TimedOut, match="j1 has not ended after 0 s"):
        needle.wait(needle.job("j1"), timeout_s=0)


def test_a_job_is_cancelled() -> None:
    service = Service(ok(job(status="cancelled")))
    assert service.needle().cancel("j1").status == "cancelled"
    assert service.requests[0].method == "DELETE"


# ---- searching


def test_a_search_by_file_sends_a_form_and_returns_the_matches(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"logo")
    service = Service(ok(job(kind="search", result=FOUND)))
    result = service.needle().search(
        tmp_path / "logo.png", limit=3, box=(1, 2, 3, 4), min_score=0.5, filter={"shop": "x"}
    )
    assert fields(service.requests[0]) == {
        "box": "[1, 2, 3, 4]",
        "limit": "3",
        "min_score": "0.5",
        "filter": '{"shop": "x"}',
        "wait": "10.0",
        "file/logo.png": "logo",
    }
    best = result.best
    assert best and best.filename == "shelf.jpg" and best.hits[0].box == (1, 2, 3, 4)
    assert result.index["regions"] == 33 and result.timings_ms["total"] == 5.0


@pytest.mark.parametrize(
    "query", [{"url": "http://a/b.jpg"}, {"text": "a dog"}, {"image_id": "i", "box": (1, 2, 3, 4)}]
)
def test_other_searches_send_json(query: dict[str, Any]) -> None:
    service = Service(ok(job(kind="search", result=FOUND)))
    service.needle().search(**query, aggregate="sum", timeout_s=5)
    body = json.loads(service.requests[0].content)
    assert body == {**json.loads(json.dumps(query)), "aggregate": "sum", "wait": 5}


def test_a_search_that_takes_longer_is_polled() -> None:
    service = Service(
        ok(job(kind="search", status="queued"), 202),
        ok(job(kind="search", status="started")),
        ok(job(kind="search", result=FOUND)),
    )
    assert service.needle().search(text="x").best


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("failed", {"code": "text_not_supported", "message": "No text."}, "text_not_supported"),
        ("cancelled", None, "cancelled"),
    ],
)
def test_a_search_without_a_result_is_an_error(
    status: str, error: dict[str, str] | None, code: str
) -> None:
    service = Service(ok(job(kind="search", status=status, error=error)))
    with pytest.raises(JobFailed) as caught:
        service.needle().search(text="x")
    assert caught.value.code == code


@pytest.mark.parametrize("query", [{}, {"text": "a", "url": "b"}, {"image": b"x", "text": "a"}])
def test_a_search_takes_exactly_one_query(query: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="exactly one"):
        Service().needle().search(**query)


# ---- photos and the service


def test_photos_are_listed_shown_fetched_and_deleted() -> None:
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
    with pytest.raises(NeedleUnreachable, match=r"No Needle answers at .*needle:8080.*`make up`"):
        service.needle().job("j1")
    assert not service.pauses


def test_a_connection_that_breaks_is_tried_again_where_that_does_no_harm() -> None:
    lost = httpx.ReadError("lost")
    service = Service(ok(job()), lost, ok(job()), httpx.ConnectError("down"), ok(job(), 202), lost)
    needle = service.needle()
    needle.job("j1")
    needle.job("j1")
    needle.index([b"x"])
    with pytest.raises(NeedleUnreachable, match="did not answer: lost"):
        needle.index([b"x"])
    assert len(service.pauses) == 2


# ---- very many photos


def photos(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return [folder / name for name in names]


def test_a_bulk_index_counts_and_names_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads.requests, "__kwdefaults__", {"max_bytes": 10**9, "max_files": 2})
    fault = {"name": "c.jpg", "code": "invalid_image", "message": "c is no image."}
    bad = {"error": {"code": "invalid_image", "message": "c.jpg: no", "items": [fault]}}
    items = [
        {"index": 0, "name": "a.jpg", "status": "indexed", "image_id": "A"},
        {"index": 1, "name": "b.jpg", "status": "failed", "error": {"message": "torn"}},
    ]
    last = {"index": 0, "name": "d.jpg", "status": "unchanged", "image_id": "D"}
    service = Service(
        ok(job("one", "queued"), 202),
        ok(job("one", "started")),
        ok(bad, 415),
        ok(job("one", "started")),
        ok(job("one", "partial", progress={"total": 2, "done": 1, "failed": 1})),
        ok({"items": items, "total": 2}),
    )
    seen: list[tuple[int, int]] = []
    paths = photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    outcome = index_all(service.needle(), paths, on_progress=lambda d, f: seen.append((d, f)))
    assert (outcome.indexed, outcome.unchanged, outcome.image_ids) == (1, 0, {"A"})
    assert {(f.name, f.reason) for f in outcome.failures} == {
        ("b.jpg", "torn"),
        ("c.jpg", "c is no image."),
    }
    assert seen[-1] == (1, 2)

    again = Service(ok(job("two")), ok({"items": [last], "total": 1}))
    outcome = index_all(again.needle(), photos(tmp_path, "d.jpg"))
    assert (outcome.indexed, outcome.unchanged) == (0, 1)


def test_a_bulk_index_stops_when_the_service_itself_refuses(tmp_path: Path) -> None:
    service = Service(refused(409, "encoder_mismatch"))
    with pytest.raises(NeedleApiError, match="encoder_mismatch"):
        index_all(service.needle(), photos(tmp_path, "a.jpg"))


def test_folders_are_searched_for_pictures(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    wanted = photos(tmp_path, "b.JPG") + photos(tmp_path / "deep" / "er", "a.png")
    photos(tmp_path, "notes.txt", ".c.jpg")
    photos(tmp_path / ".hidden", "d.jpg")
    assert uploads.find_pictures([tmp_path]) == sorted(wanted)
    assert uploads.find_pictures([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        uploads.find_pictures([tmp_path / "nowhere"])


# ---- the law


def test_the_client_imports_nothing_of_the_service() -> None:
    source = (
        "import sys, client, client.__main__\n"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('common', 'web', 'worker', 'stack', 'flask', 'torch', 'redis')])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
