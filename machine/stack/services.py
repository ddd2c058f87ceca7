"""Which processes the service has, and the environment they are started with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from common.beats import beat_file
from machine.stack.process import Command

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder, in which `python -m web` and `python -m worker` are run."""

Services = Callable[[Mapping[str, str]], Sequence[Command]]
"""(environment) -> the processes besides Redis, in the order in which to start them."""

_MODULES = {
    "worker-search": ("worker", "search"),
    "worker-index": ("worker", "index"),
    "web": ("web",),
}


def services(env: Mapping[str, str]) -> list[Command]:
    """Return the two workers and the web server, each run by this Python."""
    return [
        Command(name, (sys.executable, "-m", *module), env, ROOT, _beats(module, env))
        for name, module in _MODULES.items()
    ]


def _beats(module: Sequence[str], env: Mapping[str, str]) -> Path | None:
    data_dir = env.get("NEEDLE_DATA_DIR")
    return beat_file(Path(data_dir), module[1]) if data_dir and module[0] == "worker" else None


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
