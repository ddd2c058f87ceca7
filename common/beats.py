"""Beats: a file that a process touches for as long as it moves. One that is stopped, or that hangs
with the interpreter in its hand, touches nothing, and whoever watches over it can tell."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

BEAT_S = 5.0


def beat_file(data_dir: Path, role: str) -> Path:
    """Return the file that the worker of a role touches."""
    return data_dir / "beats" / role


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
