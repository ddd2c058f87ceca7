"""`Needle.backup`: a file that is there once it is whole."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from needle.errors import NeedleApiError
from tests.unit.needle.fake_needle import FakeService

JOB = {"job_id": "b", "kind": "backup", "status": "succeeded"}


def test_a_backup_is_written_and_then_removed_there(tmp_path: Path) -> None:
    service, asked = FakeService(), []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path.removeprefix("/api/v1")))
        if request.method == "GET" and "backups" in request.url.path:
            return httpx.Response(200, content=b"all of it" * 1000)
        if request.method == "DELETE":
            return httpx.Response(204)
        return httpx.Response(200, json={**JOB, "result": {"images": 7, "has_vectors": True}})

    service.before = answer
    target = tmp_path / "needle.tar"
    assert service.needle().backup(target)["images"] == 7
    assert target.read_bytes() == b"all of it" * 1000 and target.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["needle.tar"]
    assert asked == [
        ("POST", "/backups"), ("GET", "/jobs/b"), ("GET", "/backups/b"), ("DELETE", "/backups/b"),
    ]  # fmt: skip


def test_one_that_cannot_be_fetched_leaves_no_file(tmp_path: Path) -> None:
    service = FakeService()

    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET" and "backups" in request.url.path:
            return None  # it knows of none: 404
        return httpx.Response(200, json={**JOB, "result": {"images": 7}})

    service.before = answer
    with pytest.raises(NeedleApiError):
        service.needle().backup(tmp_path / "needle.tar")
    assert not list(tmp_path.iterdir())
