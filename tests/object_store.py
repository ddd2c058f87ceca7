"""A real server of S3 for tests: `rclone serve s3` over a folder, and faults between it and us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

RCLONE = Path(sys.executable).with_name("rclone")
BUCKET, KEY, SECRET = "needle", "an-id", "a-secret"
START_S = 20.0


class ObjectStore:
    """A server over a folder, each bucket a folder in it. It can be stopped and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder / "buckets"
        self.port = port
        self._log = folder / "rclone.log"
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / BUCKET).mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def settings(self, prefix: str = "", endpoint: str | None = None) -> dict[str, str]:
        """Return the settings of services that keep their images in it."""
        return {
            "NEEDLE_IMAGE_STORE": f"s3://{BUCKET}/{prefix}",
            "NEEDLE_S3_ENDPOINT": endpoint or self.url,
            **credentials(),
        }

    def objects(self, prefix: str = "") -> list[str]:
        """Return the keys under a prefix."""
        home = self.folder / BUCKET
        files = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
        return sorted(name for name in files if name.startswith(prefix))

    def remove(self, key: str) -> None:
        """Remove a key: the server would not notice a file that is gone."""
        self._client().delete_object(Bucket=BUCKET, Key=key)

    def put(self, key: str, content: bytes) -> None:
        """Put an object there, as somebody else would."""
        self._client().put_object(Bucket=BUCKET, Key=key, Body=content)

    def _client(self) -> Any:
        import boto3

        return boto3.session.Session(KEY, SECRET).client("s3", "us-east-1", endpoint_url=self.url)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [
            str(RCLONE), "serve", "s3", str(self.folder), "--addr", f"127.0.0.1:{self.port}",
            "--auth-key", f"{KEY},{SECRET}", "--config", os.devnull, "--log-level", "ERROR",
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        pytest.fail(f"rclone does not serve: {self._log.read_text()}")

    def __enter__(self) -> ObjectStore:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Have it take connections and answer nothing meanwhile."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # until then it goes on answering
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


def credentials() -> Mapping[str, str]:
    """Return what boto3 reads of the environment."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


_FAULT = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Slower</Message></Error>"
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_FAULT), _FAULT)
)


class Proxy:
    """Stands before a server, and answers 503, cuts connections off or is slow while it is told to.

    `far_s` is how long each answer is under way.
    """

    def __init__(self, port: int, *, far_s: float = 0.0) -> None:
        self._to = port
        self.far_s = far_s
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.fault: str | None = None
        """`busy` (503), `cut` (in the middle of an answer), or None."""
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Serve one request after the other, looking for a fault before each."""
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as server:
            asked = threading.Event()
            back = threading.Thread(target=self._answers, args=(server, client, asked), daemon=True)
            back.start()
            while part := client.recv(65536):
                asked.set()
                if self.fault == "busy":
                    client.sendall(BUSY)
                    return
                server.sendall(part)

    def _answers(
        self, server: socket.socket, client: socket.socket, asked: threading.Event
    ) -> None:
        with suppress(OSError):
            while part := server.recv(65536):
                if asked.is_set():  # it is the first part of an answer
                    asked.clear()
                    time.sleep(self.far_s)
                if self.fault == "cut":
                    client.sendall(part[: len(part) // 2])
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(part)
