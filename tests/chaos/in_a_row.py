"""Faults in a row over an ingest, at random: what is done to a service, and what must agree after.

The order comes from a seed, which is printed. A fault strikes when a job has come so far, not after
a time. What is compared is everything there is: each item of each job, the list, the folders of the
image store and, when the service has stopped, each point and each word.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from common.disk import Disk, Use
from common.images import image_folder
from lab.bench import faults
from machine.stack import Stack
from needle import Needle
from needle.errors import NeedleApiError, NeedleUnreachable
from tests.clocks import ProcessClock
from tests.qdrant_server.running import QdrantServer
from tests.textures import texture
from worker.vectors.edge import Edge
from worker.vectors.server import Server
from worker.vectors.stores import VectorStore, WordStore

COLLECTION = "default"
QDRANT: dict[str, dict[str, Any]] = {
    "answers 500": {"kind": "status"},
    "answers 503 now and then": {"kind": "status", "status": 503, "share": 0.3},
    "loses answers": {"kind": "status", "done": True, "share": 0.3},
    "hangs": {"kind": "hang"},
    "cuts connections": {"kind": "cut", "share": 0.5},
    "cuts answers": {"kind": "cut", "done": True, "share": 0.5},
    "is slow": {"kind": "slow", "seconds": 0.5},
}
"""What Qdrant does for a while; it can be killed besides."""
IN_THE_MIDDLE = "web in the middle of a request"
ENDS_S = 300
"""How long a round may take to end by itself."""
STOPPED_S = 2.0
CLOCK_OFF_S = {"clock set forward": 5 * 3600, "clock set back": -5 * 3600}
"""By how much the clock is wrong from then on; jobs are kept for longer."""


def write_photos(folder: Path, count: int) -> list[Path]:
    """Write small photos with texture and return their paths."""
    paths = [folder / f"photo{seed:04}.jpg" for seed in range(count)]
    for seed, path in enumerate(paths):
        texture(seed, (160, 120)).save(path, quality=90)
    return paths


def until(holds: Callable[[], bool], what: str, seconds: float = ENDS_S) -> None:
    """Wait until it holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)


@dataclass
class Row:
    """A service under faults, and what it should hold: names of photos by image id."""

    stack: Stack
    needle: Needle
    chance: random.Random
    disk: Disk | None = None
    qdrant: QdrantServer | None = None
    clock: ProcessClock | None = None
    held: dict[str, str] = field(default_factory=dict)

    def round(self, photos: Sequence[Path], names: Sequence[str]) -> None:
        """Post photos, delete some that are there, have the named faults strike meanwhile."""
        gone = self.chance.sample(sorted(self.held), min(2, len(self.held)))
        posted = {path.name for path in photos}
        with self._web_dies_in_the_middle() if IN_THE_MIDDLE in names else nullcontext():
            job = self.needle.index(list(photos), collection=COLLECTION)
        names = [name for name in names if name != IN_THE_MIDDLE]
        at = sorted(self.chance.uniform(0, 0.7) * len(photos) for _ in names)
        for least, name in zip(at, names, strict=True):
            until(lambda least=least: self._done(job.job_id) >= least, "the job goes on")  # type: ignore[misc]
            print(f"{name} after {least:.0f} of {len(photos)} photos", flush=True)
            self.strike(name)
        # What is posted again meanwhile is not deleted: nobody knows which comes last.
        deleted = [one for one in gone if Path(self.held[one]).name not in posted]
        for image_id in deleted:
            until(lambda image_id=image_id: self._is_deleted(image_id), "a deletion")  # type: ignore[misc]
            del self.held[image_id]
        job = self.needle.wait(job, timeout_s=ENDS_S)
        items = list(self._items(job.job_id))
        assert job.status == "succeeded", (job, [i for i in items if i.get("error")])
        assert {item["status"] for item in items} <= {"indexed", "unchanged"}
        assert len(items) == len(photos)
        self.held |= {str(item["image_id"]): str(item["name"]) for item in items}
        self.agree()

    @contextmanager
    def _web_dies_in_the_middle(self) -> Iterator[None]:
        """Kill the web server while it handles a request; who made it sends it again."""
        client, struck = self._redis(), threading.Event()

        def strike() -> None:
            until(lambda: client.zcard("needle:beginnings") > 0, "the request begins", 60)
            self.strike("web")
            struck.set()

        thread = threading.Thread(target=strike)
        thread.start()
        yield
        thread.join()
        assert struck.is_set()
        print("web in the middle of the request", flush=True)

    def strike(self, name: str) -> None:
        """Do one thing to the service."""
        if name == "connections cut":
            self._redis().client_kill_filter(_type="normal")
        elif name.startswith("qdrant "):
            self._strike_qdrant(name.removeprefix("qdrant "))
        elif name == "disk full":
            self._fill_the_disk()
        elif name in CLOCK_OFF_S:
            assert self.clock is not None
            self.clock.set(CLOCK_OFF_S[name])
        elif name.startswith("stop "):
            with stopped(self.victims(name.removeprefix("stop "))):
                time.sleep(STOPPED_S)
        else:
            for pid in self.victims(name):
                with suppress(ProcessLookupError):
                    faults.kill(pid)

    def victims(self, name: str) -> list[int]:
        """Return the ids of the processes that a name stands for; those that are there."""
        child = faults.worker_child("index", self.stack.data_dir)
        supervised = {c.name: c.pid for c in self.stack.children if c.running}
        chosen = {
            "index child": [child],
            "index worker": [self._one_of("worker-index"), child],
            "search worker": [self._one_of("worker-search")],
            "redis": [supervised.get("redis")],
            "web": faults.web_pids(self.stack.data_dir),
        }[name]
        return [pid for pid in chosen if pid is not None]

    def _one_of(self, name: str) -> int | None:
        """Return the id of one of the workers of a role."""
        found = [c.pid for c in self.stack.children if c.running and c.name.startswith(name)]
        return self.chance.choice(found) if found else None

    def _strike_qdrant(self, what: str) -> None:
        """Have Qdrant fail for a while, or kill it and start it again."""
        assert self.qdrant is not None
        if what == "killed":
            self.qdrant.kill()
            time.sleep(STOPPED_S)
            self.qdrant.start()
        else:
            with self.qdrant.under(**QDRANT[what]):
                time.sleep(STOPPED_S)

    def agree(self) -> None:
        """Check that everything has ended and that list, files and index hold the same."""
        self.stack.wait_ready(120)
        until(lambda: self._jobs("queued") == self._jobs("started") == 0, "every job ends")
        until(lambda: not any(self.needle.ready()["queues"].values()), "every queue is empty")
        images = {image.image_id: image for image in self.needle.images(collection=COLLECTION)}
        assert images.keys() == self.held.keys()
        assert {one: image.path for one, image in images.items()} == self.held
        assert self._folders() == self.held.keys()
        for image_id in images:
            folder = self.stack.data_dir / image_folder(COLLECTION, image_id)
            files = {path.name for path in folder.iterdir() if not path.name.startswith(".new-")}
            assert files == {"photo", "thumbnail.jpg", "local.bin", "regions.bin"}, image_id

    def agree_in_the_index(self) -> None:
        """Compare every point and every word; the service has stopped."""
        engine = (
            Edge(self.stack.data_dir) if self.qdrant is None else Server.connect(self.qdrant.url)
        )
        try:
            points, words = VectorStore(engine), WordStore(engine)
            each = [points._points_of(points._shelf(COLLECTION), [one]) for one in self.held]
            lists = [len(set(ids)) for ids in each]
            assert all(lists)
            assert points.count(COLLECTION) == sum(lists), "points of no image, or some twice"
            assert words.count(COLLECTION) == len(self.held)
            assert engine.aside() == []
        finally:
            engine.close()

    def _is_deleted(self, image_id: str) -> bool:
        """Delete an image; False where no answer came: nobody but us knows whether to ask again."""
        try:
            self.needle.delete(image_id, collection=COLLECTION)
        except NeedleUnreachable:
            return False
        except NeedleApiError as error:
            assert error.code == "not_found"  # the answer before was lost
        return True

    def _done(self, job_id: str) -> int:
        return self.needle.job(job_id).progress.done

    def _items(self, job_id: str) -> Iterator[dict[str, object]]:
        for part in job_id.split(","):
            offset = 0
            while page := self._get(f"jobs/{part}/items?limit=100&offset={offset}")["items"]:
                yield from page
                offset += len(page)

    def _jobs(self, status: str) -> int:
        return len(self._get(f"jobs?status={status}")["jobs"])

    def _get(self, path: str) -> dict[str, list[dict[str, object]]]:
        import httpx

        answer = httpx.get(f"{self.stack.base_url}/api/v1/{path}", timeout=30)
        answer.raise_for_status()
        found: dict[str, list[dict[str, object]]] = answer.json()
        return found

    def _folders(self) -> set[str]:
        """Return the ids of the images that have anything in the image store."""
        home = self.stack.data_dir / "images" / COLLECTION
        return {path.parent.name for path in home.glob("*/*/*")}

    def _redis(self) -> redis.Redis:
        assert self.stack.redis_url is not None
        return redis.Redis.from_url(self.stack.redis_url)

    def _fill_the_disk(self) -> None:
        """Leave too little for anything to be indexed, and give it back after a while."""
        assert self.disk is not None
        ballast = self.stack.data_dir / "ballast"
        left = int(self.disk.least_bytes * Use.INDEX.value) - 2**20
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.disk.free_bytes() - left)
        try:
            codes = {problem["code"] for problem in self.needle.ready().get("problems", [])}
            assert codes == {"disk_full"}
            time.sleep(STOPPED_S)
        finally:
            ballast.unlink()


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """Stop processes for as long as this is entered."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
