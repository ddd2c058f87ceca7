"""What becomes a job: images one by one and very many, waiting for the end, and searches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from needle import JobFailed, TimedOut, uploads
from tests.unit.needle.helpers import Service, fields, job, ok

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


# ---- indexing


def test_images_are_posted_with_their_options(tmp_path: Path) -> None:
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
        f"files/{tmp_path.name}/a.jpg": "first",
        "files/image-1": "second",
        "files/c.png": "third",
    }


def test_many_images_become_requests_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert [r.url.params.get("offset") for r in service.requests] == [None, "1"]


def test_cursors_are_followed_where_the_service_gives_them() -> None:
    def images(*names: str, **more: Any) -> Any:
        rows = [{"image_id": name, "filename": name} for name in names]
        return ok({"images": rows, "total": None, **more})

    service = Service(
        images("a", "b", next="/api/v1/images?limit=1000&cursor=X"),
        images(next="/api/v1/images?limit=1000&cursor=Y"),  # none here, and yet there are more
        images("c", next=None),
    )
    assert [image.image_id for image in service.needle().images()] == ["a", "b", "c"]
    asked = [dict(request.url.params) for request in service.requests]
    assert [one.get("cursor") for one in asked] == [None, "X", "Y"]
    assert "offset" not in asked[1]


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


@pytest.mark.parametrize("query", [{}, {"image_id": "a", "url": "b"}, {"image": b"x", "url": "b"}])
def test_a_search_takes_one_image_or_a_text(query: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="one of image"):
        Service().needle().search(**query)


def test_a_webhook_goes_with_what_makes_jobs_and_with_nothing_that_is_read() -> None:
    service = Service(
        ok(job(), 202), httpx.Response(302, headers={"Location": "https://bucket/x"}), ok(job())
    )
    needle = service.needle(webhook="https://mine/called?token=1", key="k")
    needle.index_urls(["http://a/b.jpg"])
    needle.job("j1")
    made, asked, led = service.requests
    assert made.headers["Needle-Webhook"] == "https://mine/called?token=1"
    assert "Needle-Webhook" not in asked.headers and asked.headers["Authorization"] == "Bearer k"
    assert led.url.host == "bucket" and "Authorization" not in led.headers
    assert "Needle-Webhook" not in led.headers
