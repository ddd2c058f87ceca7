"""Folders that are watched by looking at them again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

EVERY_S = 2.0

Stamp = tuple[int, int]
"""(size in bytes, time of change in ns) of a file."""


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp]:
    """Return the files' stamps; one that is gone is left out."""
    found = {}
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            continue
        found[path] = (state.st_size, state.st_mtime_ns)
    return found


def changes(
    look: Callable[[], Mapping[Path, Stamp]],
    seen: Mapping[Path, Stamp],
    *,
    every_s: float = EVERY_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Path]]:
    """Yield, for ever, the files that are new or changed since `seen`.

    A file is yielded once two looks in succession find it the same: until then somebody may be
    writing it.
    """
    handled = dict(seen)
    before = dict(seen)
    while True:
        sleep(every_s)
        now = dict(look())
        settled = [p for p, stamp in now.items() if handled.get(p) != stamp == before.get(p)]
        if settled:
            handled |= {path: now[path] for path in settled}
            yield settled
        before = now
