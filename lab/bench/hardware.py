"""The machine that was measured on."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TELLING = ("avx2", "avx_vnni", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
"""Flags, as Linux spells them, that decide how fast networks run; from the least to the best."""


@dataclass(frozen=True)
class Machine:
    """What a figure is worth depends on it. `load` is the system's when the run began."""

    cpu: str
    cores: int
    instructions: tuple[str, ...]
    memory_gib: float
    system: str
    load: float

    @property
    def busy(self) -> bool:
        """Tell whether so much else ran that seconds that passed mean little."""
        return self.load > self.cores / 2


def machine() -> Machine:
    """Return this machine; what cannot be read is empty."""
    facts = _read("/proc/cpuinfo")
    return Machine(
        cpu=cpu_model(facts) or platform.processor() or platform.machine(),
        cores=_cores(),
        instructions=instructions(facts),
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30,
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        load=os.getloadavg()[0],
    )


def cpu_model(facts: str) -> str:
    """Return the model in Linux's description of the processors, empty where none is named."""
    found = re.search(r"^model name\s*:\s*(.+)$", facts, re.MULTILINE)
    return found[1].strip() if found else ""


def instructions(facts: str) -> tuple[str, ...]:
    """Return the telling instruction sets in Linux's description, the best one last."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", facts, re.MULTILINE)
    flags: Sequence[str] = found[1].split() if found else ()
    return tuple(name for name in _TELLING if name in flags)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
