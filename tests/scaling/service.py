"""A service of many workers: Redis, a Qdrant server and the web server here, workers elsewhere."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from machine.stack.redis_server import find_binary
from needle import Needle
from tests.conftest import REPO, free_port
from tests.qdrant_server.running import QdrantServer
from tests.scaling.networks import OWN, bridge, cut, join, machine

READY_S = 120.0
INDEX, SEARCH = "index", "search"


@dataclass
class Worker:
    """A worker on a machine of its own, in a group of processes of its own."""

    number: int
    role: str
    process: subprocess.Popen[bytes]

    def signal(self, number: int) -> None:
        """Send a signal to all its processes."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def end(self) -> None:
        """End it and wait; one that is stopped does not hear it otherwise."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()


@dataclass
class Service:
    """What runs, and how to have more of it."""

    folder: Path
    env: Mapping[str, str]
    url: str
    device_ms: Mapping[str, float]
    stack: ExitStack
    workers: list[Worker] = field(default_factory=list)
    _numbers: int = 0

    def add(self, role: str, checkout: Path = REPO) -> Worker:
        """Start a worker on a new machine. `checkout` may hold another version."""
        self._numbers += 1
        number = self._numbers
        inside = self.stack.enter_context(machine(number))
        env = {**self.env, "NEEDLE_TEST_DEVICE_MS": str(self.device_ms[role])}
        log = self.stack.enter_context((self.folder / f"{role}-{number}.log").open("wb"))
        command = [*inside, sys.executable, "-m", "tests.scaling.worker", role]
        process = subprocess.Popen(
            command, cwd=checkout, env=env, stdout=log, stderr=log, start_new_session=True
        )
        worker = Worker(number, role, process)
        self.workers.append(worker)
        self.stack.callback(worker.end)
        return worker

    def remove(self, worker: Worker) -> None:
        """End a worker in order."""
        worker.end()
        self.workers.remove(worker)

    def have(self, role: str, count: int) -> None:
        """Have so many workers of a role, and wait until each has said that it takes tasks."""
        of_role = [worker for worker in self.workers if worker.role == role]
        for worker in of_role[count:]:
            self.remove(worker)
        for _ in range(count - len(of_role)):
            self.add(role)
        deadline = time.monotonic() + READY_S
        while not all(self._takes_tasks(worker) for worker in self.workers):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the workers did not start; their logs are in {self.folder}")
            time.sleep(0.2)

    def _takes_tasks(self, worker: Worker) -> bool:
        log = self.folder / f"{worker.role}-{worker.number}.log"
        return b"takes tasks" in log.read_bytes()

    @staticmethod
    def cut_off(worker: Worker) -> None:
        """Cut a worker's cable."""
        cut(worker.number)

    @staticmethod
    def join(worker: Worker) -> None:
        """Mend it."""
        join(worker.number)


@contextmanager
def service(folder: Path, device_ms: Mapping[str, float]) -> Iterator[Service]:
    """Start everything but workers, in a folder, which keeps the logs."""
    with ExitStack() as stack:
        stack.enter_context(bridge())
        password = secrets.token_hex(12)
        port, redis_port, qdrant_port = free_port(), free_port(), free_port()
        url = f"http://127.0.0.1:{port}"
        redis = [
            str(find_binary(os.environ).path), "--bind", OWN, "--port", str(redis_port),
            "--requirepass", password, "--save", "", "--dir", str(folder),
        ]  # fmt: skip
        env = {
            **{name: value for name, value in os.environ.items() if name[:7] != "NEEDLE_"},
            "NEEDLE_REDIS_URL": f"redis://:{password}@{OWN}:{redis_port}/0",
            "NEEDLE_QDRANT_URL": f"http://{OWN}:{qdrant_port}",
            "NEEDLE_DATA_DIR": str(folder / "data"),
            "NEEDLE_PORT": str(port),
            "NEEDLE_PROFILE": "fast",
            "NEEDLE_LOCAL_FEATURES": "0",
            "NEEDLE_CHUNK_SIZE": "4",
            "NEEDLE_RATE_PER_MINUTE": "0",
            "NEEDLE_SEARCH_THREADS": "2",
            # The closer look embeds dozens of crops: the device's time would be spent there.
            "NEEDLE_ZOOM_IMAGES": "0",
            "NEEDLE_ENCODER_BATCH_SIZE": "8",
        }
        for name, command in (("redis", redis), ("web", [sys.executable, "-m", "web"])):
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(command, cwd=REPO, env=env, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        qdrant = QdrantServer(folder / "qdrant", port=qdrant_port, host=OWN)
        stack.enter_context(qdrant)
        yield Service(folder, env, url, device_ms, stack)


def client(of: Service) -> Needle:
    """Return a client of it."""
    return Needle(of.url)
