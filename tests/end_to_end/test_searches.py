"""Many queries as one job of the real service: found, killed in the middle, cancelled, fetched."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from machine.stack import Stack
from needle import Needle
from needle.jobs import Job
from tests.end_to_end.conftest import corner, write_scenes

COUNT = 12
TIMEOUT_S = 240.0
BESIDE_S = 6.0
"""Less than `LONGEST_WAIT_S`, after which a job goes on beside searches that never end."""
MOST_BESIDE = 4
"""Queries of a job that may end in that time: those that had begun, one a thread."""


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


def begun(needle: Needle, job: Job, least: int = 1) -> None:
    """Wait until so many queries of a job are answered."""
    deadline = time.monotonic() + TIMEOUT_S
    while (now := needle.job(job.job_id)).progress.done < least:
        assert not now.final and time.monotonic() < deadline, now
        time.sleep(0.02)


def test_a_worker_killed_in_the_middle_loses_and_doubles_no_answer(
    needle: Needle, stack: Stack, logos: Path, photos: list[Path]
) -> None:
    again = [logos / f"{path.stem}.png" for path in photos] * 4
    total = COUNT + 1 + len(again)
    job = needle.search_many([logos, *again], collection="shelves", limit=3)
    assert (job.kind, job.progress.total) == ("searches", total)
    begun(needle, job, 2)
    (worker,) = (child for child in stack.children if child.name == "worker-search")
    worker.kill()
    cut = needle.job(job.job_id)
    assert not cut.final and cut.progress.done < total - 1, "it was killed in the middle"
    job = needle.wait(job, timeout_s=TIMEOUT_S)
    assert (job.status, job.progress.done, job.progress.failed) == ("partial", total - 1, 1)
    answers = list(needle.answers(job, collection="shelves"))
    assert len({answer.index for answer in answers}) == len(answers) == total
    failed = [answer for answer in answers if answer.result is None]
    assert [answer.name for answer in failed] == ["logos/broken.png"] and failed[0].reason
    best = [(Path(a.name).stem, a.result.best) for a in answers if a.result]
    assert all(found and found.filename == f"{stem}.jpg" for stem, found in best)
    table = httpx.get(f"{stack.base_url}/api/v1/jobs/{job.job_id}/results.csv").text
    rows = list(csv.DictReader(io.StringIO(table)))
    found = [row["query"] for row in rows if row["found"] == "yes"]
    assert len(found) >= total - 1 and len(set(found)) == COUNT
    assert [row["query"] for row in rows if row["error"]] == ["logos/broken.png"]


def test_who_waits_for_a_search_goes_first_and_a_cancelled_job_stops(
    needle: Needle, logos: Path, photos: list[Path]
) -> None:
    many = [logos / f"{path.stem}.png" for path in photos] * 20
    job = needle.search_many(many, collection="shelves")
    begun(needle, job)
    part = corner(photos[0])

    def done() -> int:
        now = needle.job(job.job_id)
        assert not now.final
        return now.progress.done

    before, ends, searches = done(), time.monotonic() + BESIDE_S, 0
    while time.monotonic() < ends:
        best = needle.search(part, collection="shelves").best
        assert best is not None and best.filename == photos[0].name
        searches += 1
    meanwhile = done() - before
    assert meanwhile <= MOST_BESIDE < searches, "the job gives way"
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
