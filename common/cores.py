"""How many cores this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Return their number: those that the system gave it, where it says which."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
