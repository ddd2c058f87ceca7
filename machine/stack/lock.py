"""The lock on a data folder: one service at a time writes to it."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from machine.stack.errors import StackError

_PAUSE_S = 0.05
_LEFTOVERS_S = 20.0


def hold(data_dir: Path) -> IO[str]:
    """Make the folder if need be and lock it; closing the returned file frees it.

    Where the last holder was killed, its watchdog keeps the lock until it has ended what was left
    over: this waits for that. Raises StackError when another service holds the folder.
    """
    try:
        if not data_dir.exists():  # one that is there has the rights that somebody gave it
            data_dir.mkdir(mode=0o700, parents=True)
        logs = data_dir / "logs"
        logs.mkdir(exist_ok=True)
        logs.chmod(0o700)
        lock = open(data_dir / "stack.lock", "a+", encoding="ascii")  # noqa: SIM115
    except OSError as exc:
        raise StackError(f"The data folder cannot be used: {exc}.") from exc
    deadline = time.monotonic() + _LEFTOVERS_S
    while not _taken(lock):
        holder = _holder(lock)
        if _alive(holder) or time.monotonic() >= deadline:
            lock.close()
            raise StackError(
                f"Another Needle (process {holder or 'unknown'}) is using {data_dir}: end it "
                "first, or choose another folder with NEEDLE_DATA_DIR."
            )
        time.sleep(_PAUSE_S)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _taken(lock: IO[str]) -> bool:
    with suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _holder(lock: IO[str]) -> int | None:
    lock.seek(0)
    text = lock.read().strip()
    return int(text) if text.isdigit() else None


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
