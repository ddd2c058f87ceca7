"""Chooses the list of packages for a machine: the one of CPUs, or the whole one with PyTorch.

Standard library only, and no syntax newer than Python 3.7: `machine/setup/bootstrap.py` uses it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

WHOLE = "requirements.txt"
CPU = "requirements/cpu.txt"
DEV = "requirements/dev.txt"
COMPILER = "requirements/compiler.txt"
"""Zig, whose C compiler is a package for every machine; removed when it has compiled."""

NEEDED_BYTES = {CPU: 15 * 10**8, WHOLE: 8 * 10**9, COMPILER: 8 * 10**8}
"""What `.venv` and pip's downloads take, with some room; a compiler, for a moment."""
SHIPPED = "mini"
"""The pack that runs without PyTorch."""
ANSWER_S = 20.0


def gpu(devices: Path = Path("/dev")) -> str:
    """Return what shows that this machine has an NVIDIA GPU, nothing where it has none.

    Not `/proc/driver/nvidia`: a container sees its host's, whether it may use the GPU or not.
    """
    found = sorted(path.name for path in devices.glob("nvidia[0-9]*"))
    if found:
        return str(devices / found[0])
    program = shutil.which("nvidia-smi")  # Windows' subsystem for Linux has no such devices
    if not program:
        return ""
    try:
        done = subprocess.run(
            [program, "-L"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=ANSWER_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    listed = re.search(r"^GPU \d+:", done.stdout.decode(errors="replace"), re.MULTILINE)
    return "nvidia-smi" if listed and done.returncode == 0 else ""


def without_torch(models: str) -> bool:
    """Tell whether a model pack runs without PyTorch: it is a network, as the one that ships is.

    A `pack.json` that cannot be read is for the worker to complain of.
    """
    if models == SHIPPED:
        return True
    try:
        return "network" in json.loads((Path(models).expanduser() / "pack.json").read_text())
    except (OSError, ValueError, TypeError):
        return False


def choose(
    env: Mapping[str, str], installed: bool, find_gpu: Callable[[], str] = gpu
) -> tuple[str, str]:
    """Return the list of packages that running Needle takes here, and why.

    `installed`: the whole list is there already, and stays.
    """
    if installed:
        return WHOLE, "it was installed before"
    if not without_torch(env.get("NEEDLE_MODELS", "") or SHIPPED):
        return WHOLE, "NEEDLE_MODELS={} needs it".format(env["NEEDLE_MODELS"])
    for name in ("NEEDLE_DETECTOR", "NEEDLE_ENCODER"):
        if env.get(name):
            return WHOLE, f"{name}={env[name]} needs it"
    device = env.get("NEEDLE_DEVICE", "")
    if device.startswith("cuda"):
        return WHOLE, f"NEEDLE_DEVICE={device} needs it"
    if device == "cpu":
        return CPU, "NEEDLE_DEVICE=cpu uses no GPU"
    seen = find_gpu()
    return (WHOLE, f"this machine has a GPU ({seen})") if seen else (CPU, "this machine has no GPU")


def sentence(lock: str, why: str) -> str:
    """Say which list is installed and why."""
    if lock == CPU:
        return (
            f"Without PyTorch ({CPU}): {why}, and the models that ship do without it; "
            "`make setup ALL=1` installs the rest, 6 GB."
        )
    return f"With PyTorch ({WHOLE}): {why}."
