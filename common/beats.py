"""Beats: a file that a process touches for as long as it moves. One that is stopped, or that hangs
with the interpreter in its hand, touches nothing, and whoever watches over it can tell."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from pathlib import Path

BEAT_S = 5.0
FORGET_S = 86_400.0
"""Files of hosts that were touched last so long ago are of no use to anybody."""


def beat_file(data_dir: Path, role: str) -> Path:
    """Return the file of a role's worker on this host; hosts may share the folder."""
    return data_dir / "beats" / f"{role}@{socket.gethostname()}"


def beat(file: Path) -> None:
    """Touch it; where that cannot be done (a full disk), nothing is told."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def last_beat(file: Path) -> float | None:
    """Return when it was touched last, None where it never was."""
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def forget_old(folder: Path) -> None:
    """Remove the files of hosts that are long gone."""
    for file in folder.glob("*"):
        at = last_beat(file)
        if at is not None and time.time() - at > FORGET_S:
            file.unlink(missing_ok=True)
