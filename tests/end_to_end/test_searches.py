"""Many queries as one job of the real service: found, killed in the middle, cancelled, fetched."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from machine.stack import Stack
from needle import Needle
from tests.end_to_end.conftest import corner, write_scenes

COUNT = 12


@pytest.fixture(scope="module")
def photos(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the paths of photos that are indexed."""
    paths = write_scenes(tmp_path_factory.mktemp("photos"), range(900, 900 + COUNT))
    with Needle(stack.base_url) as needle:
        job = needle.wait(needle.index(paths, collection="shelves"), timeout_s=120)
    assert (job.status, job.progress.done) == ("succeeded", COUNT)
    return paths


@pytest.fixture
def logos(photos: list[Path], tmp_path: Path) -> Path:
    """Return a folder with a part of each photo, and one file that is no image."""
    folder = tmp_path / "logos"
    folder.mkdir()
    for path in photos:
        (folder / f"{path.stem}.png").write_bytes(corner(path))
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def test_a_worker_killed_in_the_middle_loses_and_doubles_no_answer(
    needle: Needle, stack: Stack, logos: Path, photos: list[Path]
) -> None:
    job = needle.search_many([logos], collection="shelves", limit=3)
    assert (job.kind, job.progress.total) == ("searches", COUNT + 1)
    while needle.job(job.job_id).progress.done < 2:
        threading.Event().wait(0.02)
    (worker,) = (child for child in stack.children if child.name == "worker-search")
    worker.kill()
    job = needle.wait(job, timeout_s=120)
    assert (job.status, job.progress.done, job.progress.failed) == ("partial", COUNT, 1)
    answers = list(needle.answers(job, collection="shelves"))
    failed = [answer for answer in answers if answer.result is None]
    assert [answer.name for answer in failed] == ["logos/broken.png"] and failed[0].reason
    best = {a.name: a.result.best.filename for a in answers if a.result and a.result.best}
    assert best == {f"logos/{path.stem}.png": path.name for path in photos}
    table = httpx.get(f"{stack.base_url}/api/v1/jobs/{job.job_id}/results.csv").text
    rows = list(csv.DictReader(io.StringIO(table)))
    found = {row["query"]: row["path"] for row in rows if row["found"] == "yes"}
    assert len(found) == COUNT and all(row["error"] for row in rows if row["status"] == "failed")


def test_who_waits_for_a_search_goes_first_and_a_cancelled_job_stops(
    needle: Needle, logos: Path, photos: list[Path]
) -> None:
    many = [logos / f"{path.stem}.png" for path in photos] * 20
    job = needle.search_many(many, collection="shelves")
    while not needle.job(job.job_id).progress.done:
        threading.Event().wait(0.02)
    best = needle.search(corner(photos[0]), collection="shelves").best
    assert best is not None and best.filename == photos[0].name
    assert not needle.job(job.job_id).final, "it was answered in the middle of the job"
    job = needle.cancel(job)
    assert job.status == "cancelled" and job.progress.done < len(many)
    answered = [a for a in needle.answers(job) if a.status == "answered"]
    assert len(answered) >= job.progress.done > 0


def test_the_command_line_asks_by_a_job_and_writes_a_row_for_each_place(
    stack: Stack, logos: Path, photos: list[Path], tmp_path: Path
) -> None:
    words = ["search", str(logos), "-c", "shelves", "--out", str(tmp_path / "results.csv")]
    ran = subprocess.run(
        [sys.executable, "-m", "needle", "--url", stack.base_url, *words],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 3, ran.stderr
    assert f"{COUNT + 1} asked: {COUNT} found, 0 not found, 1 failed" in ran.stderr
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {row["query"]: row["path"] for row in rows if row["found"] == "yes"}
    assert {Path(query).stem: Path(path).stem for query, path in found.items()} == {
        path.stem: path.stem for path in photos
    }
