"""One view of what the processes of a tree count: a parent shows it, its children come and go.

Counts lie in a folder, a file for each process, in memory where the system has such a place: a
mapped file on a full disk would end who writes to it. What a child counted stays when it is killed.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks for the folder."""
_PREFIX = "needle-metrics-"
_MEMORY = Path("/dev/shm")  # noqa: S108 (folders of our own, 0700)


def begin() -> Path:
    """Make the folder that this process shares with its children. Call before `meters`."""
    base = _MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _remove_left(base)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base))
    os.environ[VARIABLE] = str(folder)
    # The library has looked for the folder when it was imported.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
    atexit.register(_remove, folder, os.getpid())
    return folder


def counted() -> bytes:
    """Return what all processes of the tree have counted, as Prometheus reads it."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return generate_latest()
    _forget_dead(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_dead(folder: Path) -> None:
    """Drop what dead processes said of the moment; what they counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not _lives(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _remove_left(base: Path) -> None:
    """Remove folders of processes that were killed."""
    for folder in base.glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not _lives(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, pid: int) -> None:
    if os.getpid() == pid:  # a child inherits what is to be done at the end
        shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        try:
            os.kill(pid, 0)
        except PermissionError:
            return True
        return True
    return False
