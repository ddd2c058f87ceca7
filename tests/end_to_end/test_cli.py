"""The command line and the client against the real processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from machine.stack import Stack
from needle import AsyncNeedle, Needle
from tests.conftest import REPO
from tests.end_to_end.conftest import scene, write_scenes

TIMEOUT_S = 240


class Command:
    """Runs `needle` in a process of its own."""

    def __init__(self, url: str, state: Path) -> None:
        self._env = {**os.environ, "NEEDLE_URL": url, "XDG_STATE_HOME": str(state)}
        self._env["PYTHONPATH"] = str(REPO)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "needle", *words],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=TIMEOUT_S)
        return process.returncode, out, err


@pytest.fixture
def needle_command(stack: Stack, tmp_path: Path) -> Command:
    return Command(stack.base_url, tmp_path / "state")


def test_images_are_indexed_found_exported_and_deleted(
    needle_command: Command, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    paths = write_scenes(images, range(100, 103))
    packed = tmp_path / "more.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(paths[0], "same.jpg")
    status, out, err = needle_command("index", str(images), "-c", "cli", "-m", "year=2024")
    assert status == 0 and "3 indexed" in out, err
    again = needle_command("index", str(images), str(packed), "-c", "cli", "--json")
    said = json.loads(again[1])
    assert (again[0], said["skipped"], said["unchanged"]) == (0, 3, 1), "one has another name"

    query, drawn = tmp_path / "query.png", tmp_path / "drawn.png"
    scene(101).crop((320, 240, 640, 480)).save(query)
    status, out, err = needle_command(
        "search", str(query), "-c", "cli", "-f", "year>=2024", "--json", "-o", str(drawn)
    )
    assert status == 0, err
    found = json.loads(out)
    assert found["matches"][0]["filename"] == "scene101.jpg"
    with Image.open(drawn) as sheet:
        assert sheet.width == 1600
    assert needle_command("search", str(query), "-c", "cli", "-f", "year<2024")[0] == 1
    assert needle_command("search", str(query), "-c", "no-such")[0] == 3

    status, out, _ = needle_command("export", found["job_id"])
    assert status == 0 and out.splitlines()[1].split(",")[2] == "scene101.jpg"
    status, out, _ = needle_command("delete", "--all", "-y", "-c", "cli")
    assert (status, out) == (0, "3 deleted\n")
    assert json.loads(needle_command("images", "-c", "cli", "--json")[1])["total"] == 0


def test_a_sample_says_what_indexing_takes_and_a_table_what_became_of_each_image(
    needle_command: Command, needle: Needle, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    write_scenes(images, range(110, 114))
    (images / "broken.jpg").write_bytes(b"no image")
    words = ("index", str(images), "-c", "reckoned")
    status, out, err = needle_command(*words, "--dry-run", "--sample", "9", "--json")
    facts = json.loads(out)
    assert (status, facts["sample"]["images"], facts["sample"]["failed"]) == (0, 4, 1), err
    assert not [one for one in needle.collections() if one.name.startswith("needle-sample")]
    status, out, _ = needle_command(*words, "--outcomes", "-")
    table = list(csv.DictReader(out.splitlines(), delimiter="\t"))
    assert (status, [row["status"] for row in table]) == (3, ["failed", *["indexed"] * 4])
    assert table[0]["name"] == str(images / "broken.jpg") and table[0]["reason"]
    kept = list(needle.images(collection="reckoned"))
    assert {row["image_id"] for row in table[1:]} == {image.image_id for image in kept}
    assert facts["regions"] == sum(image.regions or 0 for image in kept)
    needle.delete_collection("reckoned")


def test_after_ctrl_c_nothing_is_uploaded_twice(
    needle_command: Command, needle: Needle, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    paths = write_scenes(images, range(200, 206))
    words = ("index", str(images), "-c", "interrupted")
    first = needle_command.start(*words)
    deadline = time.monotonic() + TIMEOUT_S
    while not list((tmp_path / "state").rglob("*.sqlite")) or not sent(tmp_path):
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=TIMEOUT_S)
    assert first.returncode == 130 and "the same command goes on" in err
    status, out, err = needle_command(*words)
    assert status == 0 and "0 failed" in out, err
    assert len(list(needle.images(collection="interrupted"))) == len(paths)
    assert len(sent(tmp_path)) == 1, "one request held them all, and it was sent once"


def test_after_ctrl_c_no_answered_query_is_asked_again(
    needle_command: Command, needle: Needle, tmp_path: Path
) -> None:
    queries, results = tmp_path / "queries", tmp_path / "results.csv"
    queries.mkdir()
    write_scenes(tmp_path, range(400, 402))
    for number in range(16):
        crop = scene(400 + number % 2).crop((320, 240, 480 + number, 360 + number))
        crop.save(queries / f"{number:02}.png")
    assert needle_command("index", str(tmp_path / "*.jpg"), "-c", "audit")[0] == 0
    words = ("search", str(queries), "-c", "audit", "-o", str(results))
    first = needle_command.start(*words)
    part = tmp_path / "results.csv.part"
    deadline = time.monotonic() + TIMEOUT_S
    while not part.exists() or '"job"' not in part.read_text():
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=TIMEOUT_S)
    assert first.returncode == 130 and "the same command" in err and "Trace" not in err
    (job,) = needle.jobs(kind="searches")
    assert job.status != "cancelled" and part.exists() and not results.exists()
    status, _, err = needle_command(*words)
    assert status == 0 and "16 asked: 16 found" in err, err
    with results.open(newline="") as file:
        found = [(row["query"], row["filename"]) for row in csv.DictReader(file)]
    assert found == [
        (f"queries/{number:02}.png", f"scene40{number % 2}.jpg") for number in range(16)
    ]
    again = [one.job_id for one in needle.jobs(kind="searches")]
    assert again == [job.job_id] and not part.exists(), "what one job found was fetched"


def sent(folder: Path) -> list[str]:
    """Return the jobs in the journal."""
    import sqlite3
    from contextlib import closing

    found = next((folder / "state").rglob("*.sqlite"))
    with closing(sqlite3.connect(found)) as db:
        try:
            return [row[0] for row in db.execute("SELECT job_id FROM jobs")]
        except sqlite3.OperationalError:  # its tables are being made
            return []


def test_status_and_what_silence_ends_with(needle_command: Command, tmp_path: Path) -> None:
    status, out, _ = needle_command("status", "--json")
    assert status == 0 and json.loads(out)["status"] == "ready"
    assert "mini" in needle_command("models")[1]
    assert Command("http://127.0.0.1:9", tmp_path)("status")[0] == 4


def test_the_awaited_client_finds_the_same(stack: Stack, needle: Needle, tmp_path: Path) -> None:
    import asyncio

    paths = write_scenes(tmp_path, range(300, 302))

    async def use() -> tuple[list[str], tuple[int, int]]:
        async with AsyncNeedle(stack.base_url) as service:
            done = await service.wait(await service.index(paths, collection="awaited"))
            assert done.status == "succeeded"
            searches = (service.search(path, collection="awaited") for path in paths)
            found = await asyncio.gather(*searches)
            assert found[0].best and found[1].best
            drawn = await service.draw(found[0].best)
            return [found[0].best.filename, found[1].best.filename], drawn.size

    names, size = asyncio.run(use())
    assert names == [path.name for path in paths] and size == (640, 480)
    best = needle.search(paths[0], collection="awaited").best
    assert best and best.draw().size == (640, 480)
