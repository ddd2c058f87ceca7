"""`needle backup` and `needle reindex`: what they say, and how they end."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from needle.cli import ExitCode
from tests.unit.needle.cli.conftest import Run
from tests.unit.needle.fake_needle import FakeService

RESULT = {"images": 1200, "collections": 2, "has_vectors": False}


@pytest.fixture
def backed_up(service: FakeService) -> FakeService:
    """Return a service that makes backups."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        if "/backups" not in request.url.path:
            return None
        if request.method == "GET":
            return httpx.Response(200, content=b"content")
        if request.method == "DELETE":
            return httpx.Response(204)
        return httpx.Response(202, json=service._new_job("backup", [], result=RESULT))

    service.before = answer
    return service


def test_a_backup_goes_into_the_file_that_was_named(
    run: Run, backed_up: FakeService, tmp_path: Path
) -> None:
    ended = run("backup", str(tmp_path / "needle.tar"))
    assert ended.status == ExitCode.OK and (tmp_path / "needle.tar").read_bytes() == b"content"
    assert "1,200 images" in ended.err and "needle verify --repair" in ended.err
    assert run("backup", str(tmp_path / "needle.tar")).status == ExitCode.USAGE  # it stays


def test_in_a_folder_it_is_named_by_the_date(
    run: Run, backed_up: FakeService, tmp_path: Path
) -> None:
    (tmp_path / "backups").mkdir()
    assert run("backup", str(tmp_path / "backups")).status == ExitCode.OK
    (file,) = (tmp_path / "backups").iterdir()
    assert file.name.startswith("needle-") and file.suffix == ".tar"


def test_restoring_wants_a_file_and_a_folder_that_is_new(run: Run, tmp_path: Path) -> None:
    assert run("restore", str(tmp_path / "nothing.tar"), "--data", "x").status == ExitCode.USAGE
    (tmp_path / "bad.tar").write_bytes(b"no tar file")
    ended = run("restore", str(tmp_path / "bad.tar"), "--data", str(tmp_path / "new"))
    assert ended.status == ExitCode.FAILED and "cannot be restored" in ended.err
    assert not (tmp_path / "new").exists()
    assert run("restore", str(tmp_path / "bad.tar"), "--data", str(tmp_path)).status == (
        ExitCode.FAILED
    )


def test_reindexing_waits_for_the_job_and_tells_of_failures(run: Run, service: FakeService) -> None:
    rows = [
        {"index": 0, "name": "a", "status": "queued", "error": None, "image_id": "a"},
        {"index": 1, "name": "b", "status": "failed", "error": {"message": "no"}},
    ]

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/default/reindex"):
            return None
        assert request.read() == b'{"profile":"fast"}'
        return httpx.Response(202, json=service._new_job("index", list(rows)))

    service.before = answer
    ended = run("reindex", "--profile", "fast")
    assert ended.status == ExitCode.FAILED and "1 indexed again, 1 failed" in ended.out
    rows.pop()
    rows[0]["status"] = "queued"
    assert run("reindex", "--profile", "fast").status == ExitCode.OK
