"""One process of the service: its own session, its own log, ended with all its descendants."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from machine.stack import logs, watchdog
from machine.stack.errors import StackError

_PAUSE_S = 0.02


@dataclass(frozen=True)
class Command:
    """How to start a process. `name` names it in messages and is its log's file name."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    beats: Path | None = None
    """The file that the process touches for as long as it moves (`common/beats.py`), if any."""


class Watchdog:
    """The process that ends the others if this one is killed: see `machine/stack/watchdog.py`."""

    def __init__(self, lock: IO[str], grace_s: float) -> None:
        """Start it. It keeps `lock` held until it has ended what it watches."""
        reader, self._pipe = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", watchdog.__file__, str(grace_s)],
            stdin=reader,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(lock.fileno(),),
        )
        os.close(reader)

    def watch(self, group: int) -> None:
        """Add a process group."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Remove a process group, all of which has ended."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Let it end whatever is still listed, and wait until it has."""
        os.close(self._pipe)
        self._process.wait()

    def _tell(self, line: str) -> None:
        with suppress(OSError):  # without a watchdog the service runs on, unguarded
            os.write(self._pipe, line.encode())


class Child:
    """A running or ended process of the service."""

    def __init__(self, command: Command, log_dir: Path, guard: Watchdog) -> None:
        self.command = command
        self.log = log_dir / f"{command.name}.log"
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._started_at = 0.0

    @property
    def name(self) -> str:
        """The command's name."""
        return self.command.name

    @property
    def pid(self) -> int | None:
        """The process id, which is also its group's; None before the first start."""
        return self._process.pid if self._process else None

    @property
    def status(self) -> int | None:
        """The exit status (negative: the signal that ended it); None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def age_s(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started_at

    def start(self) -> None:
        """Start the process. Raises StackError when it cannot even be started."""
        command = self.command
        try:
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    command.argv,
                    env=dict(command.env),
                    cwd=command.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as exc:
            raise StackError(f"{self.name} cannot be started: {exc}.") from exc
        self._guard.watch(self._process.pid)
        self._started_at = time.monotonic()

    def terminate(self) -> None:
        """Ask the process to end; its own children are its business until `kill`."""
        if self.running and self._process:
            self._process.terminate()

    def wait(self, deadline: float) -> bool:
        """Wait until it has ended; False when `deadline` (monotonic seconds) came first."""
        while self.running:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_S)
        return True

    def kill(self) -> None:
        """End the process and every descendant in its group at once. Harmless when it has ended."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._guard.forget(self._process.pid)

    def epitaph(self) -> str:
        """Say in one sentence how and why it ended, and where its log is."""
        status = self.status or 0
        if status == -signal.SIGKILL:
            return f"{self.name} was killed, by hand or for want of memory (log: {self.log})"
        how = f"signal {-status}" if status < 0 else f"status {status}"
        why = logs.reason(self.log, since=self._log_start)
        return f"{self.name} ended ({how}): {why or 'it wrote nothing'} (log: {self.log})"

    def last_lines(self) -> list[str]:
        """Return the last lines that this run of the process logged."""
        return logs.tail(self.log, since=self._log_start)
