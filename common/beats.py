"""Beats: a file that a process touches for as long as it moves. One that is stopped, or that hangs
with the interpreter in its hand, touches nothing, and whoever watches over it can tell.

Its time is that of the host's steady clock, as seconds since the host began: a clock that is set
makes no process look dead, or alive.
"""

from __future__ import annotations

import os
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
        if not file.exists():
            file.touch()
        now = time.monotonic()
        os.utime(file, (now, now))


def last_beat(file: Path) -> float | None:
    """Return when it was touched last, by this host's steady clock; None where it never was."""
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def forget_old(folder: Path) -> None:
    """Remove the files of hosts that are long gone."""
    for file in folder.glob("*"):
        with suppress(OSError):
            # Steady clocks of other hosts say nothing here; when a file changed does.
            if time.time() - file.stat().st_ctime > FORGET_S:
                file.unlink(missing_ok=True)
