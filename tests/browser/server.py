"""The service and the sample images, both made by the project's own environment."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

REPO = Path(__file__).resolve().parents[2]
READY_S = 600.0
_DRAW = (
    "import sys; from pathlib import Path; from demo.samples import generate; "
    "generate(Path(sys.argv[1]), scenes=int(sys.argv[2]), "
    "size=(int(sys.argv[3]), int(sys.argv[4])))"
)


def draw(folder: Path, scenes: int, size: tuple[int, int]) -> Path:
    """Draw sample images and queries into a folder, unless they are there, and return it."""
    command = [sys.executable, "-c", _DRAW, str(folder), str(scenes), *map(str, size)]
    subprocess.run(command, cwd=REPO, check=True, timeout=600)
    return folder


@dataclass(frozen=True)
class Running:
    """A service: its address and the process that every other of it descends from."""

    base_url: str
    pid: int

    @contextmanager
    def paused(self, role: str) -> Iterator[None]:
        """Hold the workers of a role still: their tasks wait, however fast the machine is."""
        workers = [pid for pid in _descendants(self.pid) if f"worker\0{role}" in _command(pid)]
        assert workers
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *_descendants(child))]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


@contextmanager
def running(data_dir: Path, **settings: str) -> Iterator[Running]:
    """Run the service on a free port."""
    port = _free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEEDLE_")}
    env |= {"NEEDLE_PORT": str(port), "NEEDLE_DATA_DIR": str(data_dir), **settings}
    command = [sys.executable, "-m", "machine", "up"]
    with open(data_dir / "stack.log", "wb") as log:
        process = subprocess.Popen(command, cwd=REPO, env=env, stdout=log, stderr=log)
    try:
        base_url = f"http://127.0.0.1:{port}"
        _wait_ready(base_url, process, data_dir)
        yield Running(base_url, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def index(base_url: str, images: list[Path], **fields: str) -> None:
    """Index images and wait until they are."""
    with httpx.Client(base_url=base_url, timeout=600) as client:
        files = [("files", (image.name, image.read_bytes())) for image in images]
        answer = client.post("/api/v1/images", files=files, data=fields).raise_for_status()
        job = answer.json()
        while job["status"] in ("queued", "started"):
            job = client.get(f"/api/v1/jobs/{job['job_id']}", params={"wait": 10}).json()
        assert job["status"] == "succeeded", job


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_ready(base_url: str, process: subprocess.Popen[bytes], data_dir: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{base_url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"the service did not start:\n{(data_dir / 'stack.log').read_text()}")
