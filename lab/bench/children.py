"""Measurements that run in a process of their own: with their own memory, models and cap."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 1800
MIB = 2**20


class ChildFailed(Exception):
    """A measurement ended without a result; the message holds the last that it said."""


def run_child(module: str, order: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Run `python -m module FILE` with the order in the file; return what it wrote there.

    Its environment is this process's without settings of the service, and `env`. Raises
    ChildFailed.
    """
    own = {name: v for name, v in os.environ.items() if not name.startswith("NEEDLE_")}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "order.json"
        path.write_text(json.dumps(order, default=str), encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-m", module, str(path)],
            env=own | dict(env),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if ended.returncode:
            last = "\n".join(ended.stdout.splitlines()[-12:])
            raise ChildFailed(f"{module} ended with {ended.returncode}:\n{last}")
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return result


def answer(measure: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Be such a child: read the order, measure, write the result and the peak of the memory."""
    path = Path(sys.argv[1])
    result = dict(measure(json.loads(path.read_text(encoding="utf-8"))))
    result["peak_mib"] = peak_mib(os.getpid())
    path.write_text(json.dumps(result), encoding="utf-8")


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has had resident, NaN where it cannot be read."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return float("nan")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 / MIB if found else float("nan")
