"""Stacks of small stand-ins for the web server and the workers, and waiting for what they do."""

from __future__ import annotations

import socket
import stat
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from machine.stack import Stack
from machine.stack.process import Command
from machine.stack.services import ROOT

WEB = """
import http.server, os, signal, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ready", "redis": true, "workers": {"index": 1}}')
    def log_message(self, *args):
        pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
http.server.HTTPServer(("127.0.0.1", int(os.environ["NEEDLE_PORT"])), Ready).serve_forever()
"""
IDLE = "import signal; signal.pause()"
STUBBORN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
print("child", child.pid, flush=True)
signal.pause()
"""


def until(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until `holds` says so; fail after `within_s`."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Tell whether a process has ended (a zombie that nobody has reaped yet has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scripts(**sources: str) -> Callable[[Mapping[str, str]], Sequence[Command]]:
    """Return stand-ins for the service's processes, one for each Python source."""

    def make(env: Mapping[str, str]) -> list[Command]:
        return [
            Command(name.replace("_", "-"), (sys.executable, "-S", "-c", source), env, ROOT)
            for name, source in sources.items()
        ]

    return make


class Maker:
    """Makes stacks in one folder and stops them at the end of the test."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.events: list[str] = []
        self.stacks: list[Stack] = []

    def __call__(self, settings: Mapping[str, str] | None = None, **sources: str) -> Stack:
        stack = Stack(
            {} if settings is None else settings,
            data_dir=self.data_dir,
            port=self.port,
            grace_s=0.5,
            on_event=self.events.append,
            make_services=scripts(**sources),
        )
        self.stacks.append(stack)
        return stack

    def __enter__(self) -> Maker:
        return self

    def __exit__(self, *_: object) -> None:
        for stack in self.stacks:
            stack.stop()


NO_REDIS = {"NEEDLE_REDIS_URL": "redis://127.0.0.1:1/0"}


def shim(folder: Path, name: str, script: str) -> None:
    """Write a program of that name, a shell script."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + script + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
