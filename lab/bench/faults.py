"""Finding and killing the processes of a running service (Linux)."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def worker_child(role: str, data_dir: Path) -> int | None:
    """Return the id of the process that runs a role's tasks: the pool's child, else None."""
    found = {pid: _parent(pid) for pid in _pids() if _is_worker(pid, role, data_dir)}
    return next((pid for pid, parent in found.items() if parent in found), None)


def kill(pid: int) -> None:
    """End a process without a chance to tidy up."""
    os.kill(pid, signal.SIGKILL)


def resident_mib(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def web_pids(data_dir: Path) -> list[int]:
    """Return the ids of the web server's processes."""
    return [pid for pid in _pids() if _runs(pid, b"-m\0web\0", data_dir)]


def _is_worker(pid: int, role: str, data_dir: Path) -> bool:
    return _runs(pid, b"-m\0worker\0" + role.encode() + b"\0", data_dir)


def _runs(pid: int, arguments: bytes, data_dir: Path) -> bool:
    try:
        if arguments not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return False
        return f"NEEDLE_DATA_DIR={data_dir}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0
