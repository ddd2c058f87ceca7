"""What `make fresh` found: bare machines, what happened on each, and a table of it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Machine:
    """A bare machine: what it is called, the suite of Debian, what is installed, what is run."""

    name: str
    suite: str
    packages: tuple[str, ...] = ("python3", "python3-venv", "make", "git", "ca-certificates")
    commands: tuple[str, ...] = ("make demo KEEP=0", "make test")


@dataclass
class Row:
    """What happened on one machine."""

    machine: Machine
    python: str = ""
    root_s: float = 0.0
    ran: dict[str, Ran] = field(default_factory=dict)
    fault: str = ""

    @property
    def well(self) -> bool:
        """Tell whether every command ended well."""
        return not self.fault and all(ran.status == 0 for ran in self.ran.values())


@dataclass(frozen=True)
class Ran:
    """A command's exit status, its seconds, and what it printed."""

    status: int
    seconds: float
    said: str
    environment_mb: int = 0
    """The size of `.venv` after it."""

    @property
    def installing_s(self) -> float:
        """Return the seconds that installing the locks took of it."""
        return sum(map(float, re.findall(r"^  requirements\S*: (\d+) s$", self.said, re.MULTILINE)))

    @property
    def result(self) -> str:
        """Return the line that says how it went: the demo's count, pytest's closing line."""
        pattern = r"^(\d+ of \d+ queries found|\d+ \w+(?:, \d+ \w+)* in [\d.]+s)"
        found = re.findall(pattern, self.said, re.MULTILINE)
        lines = [line for line in self.said.splitlines() if line and not line.startswith("make: ")]
        said = found[-1] if found else (lines[-1] if lines else "nothing")[-120:]
        return said if self.status == 0 else f"**status {self.status}**: {said}"


def table(rows: Sequence[Row]) -> str:
    """Return what happened as Markdown: the head says on what, a row is a machine."""
    commands = list(dict.fromkeys(command for row in rows for command in row.ran))
    columns = ["machine", "Python", "bare root"]
    for command in commands:
        columns += [f"`{command}`", "of it installing", "`.venv`", "result"]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [row.machine.name, row.python, minutes(row.root_s)]
        for command in commands:
            ran = row.ran.get(command)
            if ran is None:
                cells += ["", "", "", row.fault or "not run"]
            else:
                cells += [minutes(ran.seconds), minutes(ran.installing_s)]
                cells += [f"{ran.environment_mb} MB", ran.result]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([head(), "", *lines, ""])


def head() -> str:
    """Return a sentence: the commit, the day and the processor."""
    git = ["git", "-C", str(REPO), "log", "-1", "--format=%h"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    facts = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", facts, re.MULTILINE)
    caps = [f"{n}={os.environ[n]}" for n in ("ONEDNN_MAX_CPU_ISA",) if n in os.environ]
    processor = f"{os.cpu_count()} cores ({model[1] if model else 'unknown'})"
    told = [commit, time.strftime("%Y-%m-%d"), processor, *caps]
    return f"{', '.join(told)}. Times are minutes:seconds."


def minutes(seconds: float) -> str:
    """Return seconds as minutes:seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
