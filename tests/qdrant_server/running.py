"""The stand-in as a process of a test's own, and the way to its faults."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import REPO, free_port

START_S = 60


class QdrantServer:
    """A stand-in that can be ended, killed and started again at the same address."""

    def __init__(
        self, folder: Path, *options: str, port: int | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://{host}:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self._command = [
            sys.executable, "-m", "tests.qdrant_server", "--host", host, "--port", str(self.port),
            "--folder", str(folder), *options,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command, cwd=REPO)
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.http.get("/readyz").raise_for_status()
                return
            except httpx.HTTPError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def kill(self) -> None:
        """End it at once, as a machine that loses its power."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def fault(self, kind: str, **more: Any) -> None:
        """Have a fault strike from now on; `faults.Fault` says which there are."""
        self.http.post("/faults", json={"kind": kind, **more}).raise_for_status()

    def mend(self) -> None:
        """Take all faults back."""
        self.http.delete("/faults").raise_for_status()

    @property
    def struck(self) -> int:
        """How many requests were struck by faults."""
        return int(self.http.get("/faults").json()["result"]["struck"])

    @contextmanager
    def under(self, kind: str, **more: Any) -> Iterator[None]:
        """Have a fault strike for as long as this is entered."""
        self.fault(kind, **more)
        try:
            yield
        finally:
            self.mend()

    def __enter__(self) -> QdrantServer:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()
