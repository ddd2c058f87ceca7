"""Which processes the service has, and the environment they are started with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from common.beats import beat_file
from machine.stack.errors import StackError
from machine.stack.process import Command

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder, in which `python -m web` and `python -m worker` are run."""

Services = Callable[[Mapping[str, str]], Sequence[Command]]
"""(environment) -> the processes besides Redis, in the order in which to start them."""


def services(env: Mapping[str, str], *, index: int = 1, search: int = 1) -> list[Command]:
    """Return the workers of both roles, so many of each, and the web server; run by this Python.

    Raises StackError where there are to be several, and the vectors are one process's.
    """
    if (index, search) != (1, 1) and not env.get("NEEDLE_QDRANT_URL"):
        raise StackError("Several workers of a role need a Qdrant server: set NEEDLE_QDRANT_URL.")
    workers = [
        _worker(role, number, env)
        for role, count in (("search", search), ("index", index))
        for number in range(1, count + 1)
    ]
    return [*workers, Command("web", (sys.executable, "-m", "web"), env, ROOT)]


def _worker(role: str, number: int, env: Mapping[str, str]) -> Command:
    """Return a worker. Each but the first of its role is told its name: they share the folder."""
    name = role if number == 1 else f"{role}-{number}"
    own = () if name == role else ("--name", name)
    command = (sys.executable, "-m", "worker", role, *own)
    data_dir = env.get("NEEDLE_DATA_DIR")
    beats = beat_file(Path(data_dir), name) if data_dir else None
    return Command(f"worker-{name}", command, env, ROOT, beats)


def service_env(given: Mapping[str, str], data_dir: Path, port: int | None) -> dict[str, str]:
    """Return the whole environment of the service's processes.

    Settings come from `given` alone, never by accident from this process's environment;
    everything else (PATH, HOME, CUDA_VISIBLE_DEVICES, ...) is inherited and `given` overrides it.
    """
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("NEEDLE_")}
    own = {"NEEDLE_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}
    if port is not None:
        own["NEEDLE_PORT"] = str(port)
    return {**inherited, **given, **own}
