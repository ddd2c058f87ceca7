"""`python -m tests.scaling`: photos and searches a second by workers, and faults among four.

Needs root (network namespaces). The encoder is simulated: see `tests/scaling/worker.py`.
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from lab.capacity.loads import ask
from needle import Job, Needle
from tests.scaling.service import INDEX, SEARCH, Service, Worker, client, service

DEVICE_MS = {INDEX: 400.0, SEARCH: 250.0}
"""For each crop; a drawn photo takes the device about as long as one."""
SIDE = (240, 180)
CUT_S = 35.0


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.scaling", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=30.0, help="roughly, of each measurement")
    parser.add_argument("--older", type=Path, help="a checkout of an earlier version, to mix in")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    console = Console(highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="needle-scaling-") as folder,
        service(Path(folder), DEVICE_MS) as running,
        client(running) as needle,
    ):
        told = {
            "index": indexing(running, needle, given.workers, given.seconds),
            "search": searching(running, needle, given.workers, given.seconds),
            "faults": faults(running, needle, given.older),
        }
    for title, rows in told.items():
        table = Table(*rows[0], title=title)
        for row in rows:
            table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell)
                            for cell in row.values()))  # fmt: skip
        console.print(table)
    if given.json:
        given.json.write_text(json.dumps(told, indent=1))
    return 0


Rows = list[dict[str, object]]


def indexing(running: Service, needle: Needle, counts: list[int], seconds: float) -> Rows:
    """Return photos a second with so many index workers."""
    rows: Rows = []
    running.have(SEARCH, 1)
    alone = 0.0
    for count in counts:
        running.have(INDEX, count)
        # The first photos of a process are slow.
        post(needle, 4 * count, f"warm{count}")
        photos = round(seconds * count / (DEVICE_MS[INDEX] / 1000))
        started = time.monotonic()
        job = needle.wait(post(needle, photos, f"index{count}", wait=False))
        rate = photos / (time.monotonic() - started)
        alone = alone or rate / count
        whole(needle, job, f"index{count}", photos)
        rows.append(
            {
                "index workers": count,
                "photos": photos,
                "photos/s": rate,
                "of ideal": rate / alone / count,
            }
        )
    return rows


def searching(running: Service, needle: Needle, counts: list[int], seconds: float) -> Rows:
    """Return searches a second with so many search workers and more clients than they can serve."""
    rows: Rows = []
    running.have(INDEX, 1)
    post(needle, 40, "searched")
    pictures = [drawn(number, (60, 60)) for number in range(8)]
    alone = 0.0
    for count in counts:
        running.have(SEARCH, count)
        clients = 4 * count
        ask(running.url, "searched", pictures, clients, 3.0)
        load = ask(running.url, "searched", pictures, clients, seconds).row()
        alone = alone or load["per_s"] / count
        rows.append({"search workers": count, **load, "of ideal": load["per_s"] / alone / count})
    return rows


def faults(running: Service, needle: Needle, older: Path | None) -> Rows:
    """Return what becomes of an ingest when something happens to one of four workers half-way."""

    def cable(worker: Worker) -> None:
        running.cut_off(worker)
        time.sleep(CUT_S)
        running.join(worker)

    def more(worker: Worker) -> None:
        running.add(INDEX)

    def exchanged(worker: Worker) -> None:
        running.remove(worker)
        running.add(INDEX, older or Path.cwd())

    happens: dict[str, Callable[[Worker], object]] = {
        "nothing": lambda worker: None,
        "one killed": lambda worker: worker.signal(signal.SIGKILL),
        "one stopped": lambda worker: worker.signal(signal.SIGSTOP),
        f"one cut off for {CUT_S:.0f} s": cable,
        "one more": more,
        "one ended, another version in its place" if older else "one exchanged": exchanged,
    }
    rows: Rows = []
    for number, (name, happen) in enumerate(happens.items()):
        for worker in [w for w in running.workers if w.role == INDEX]:
            running.remove(worker)
        running.have(INDEX, 4)
        collection = f"fault{number}"
        post(needle, 16, f"before{number}")
        photos = 160
        started = time.monotonic()
        job = post(needle, photos, collection, wait=False)
        while needle.job(job.job_id).progress.ended < photos // 2:
            time.sleep(0.1)
        happen(next(w for w in running.workers if w.role == INDEX))
        job = needle.wait(job)
        took = time.monotonic() - started
        rows.append({"what": name, "seconds": took, **whole(needle, job, collection, photos)})
    return rows


def whole(needle: Needle, job: Job, collection: str, photos: int) -> dict[str, object]:
    """Return how many photos were lost or doubled, and how many failed."""
    ended = Counter(str(item.status) for item in needle.items(job))
    listed = [image.image_id for image in needle.images(collection=collection)]
    best = needle.search(drawn(0, SIDE), collection=collection).best
    return {
        "failed": ended.total() - ended["indexed"],
        "lost": photos - len(set(listed)),
        "doubled": len(listed) - len(set(listed)),
        "first is found": best is not None and best.score > 0.99,
    }


def post(needle: Needle, photos: int, collection: str, *, wait: bool = True) -> Job:
    """Post drawn photos."""
    files = [(f"{number}.png", drawn(number, SIDE)) for number in range(photos)]
    job = needle.index(files, collection=collection)
    return needle.wait(job) if wait else job


def drawn(number: int, size: tuple[int, int]) -> bytes:
    """Return a photo of coarse noise as PNG, always the same for a number."""
    noise = np.random.default_rng(number).integers(0, 255, (9, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
