#!/usr/bin/env python3
"""Makes `.venv` and installs the locked requirements, or says in a sentence why it cannot.

`python -m machine.setup.bootstrap`; `machine/setup/lists.py` chooses what is installed. Standard
library only, and no syntax newer than Python 3.7, so that an unsupported Python can still read it
and say so. A stamp of each lock's hash is written last: an up-to-date environment costs a few
milliseconds, an interrupted installation is done again.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from machine.setup.command import put, write_command
from machine.setup.debian import install_packages
from machine.setup.installing import VERSIONS, Stop, install, say
from machine.setup.kernels import build
from machine.setup.lists import CPU, DEV, NEEDED_BYTES, WHOLE, choose, sentence

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 14))

ANSWER_S = 120.0
"""How long a Python may take to say its version."""


def main() -> int:
    """Bring `.venv` up to date; return the exit status."""
    parser = argparse.ArgumentParser(description="Make .venv and install the locked requirements.")
    parser.add_argument("--all", action="store_true", help="with PyTorch, whatever the machine")
    parser.add_argument("--cpu", action="store_true", help="without PyTorch, whatever the machine")
    parser.add_argument("--dev", action="store_true", help="all, and what tests and checks need")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="instead of .venv")
    options = parser.parse_args()
    try:
        with open(__file__) as own:  # two at a time would write into each other's .venv
            fcntl.flock(own, fcntl.LOCK_EX)
            lock, why = wanted(options)
            bring_up(ROOT, [lock] + ([DEV] if options.dev else []), options.venv.absolute(), why)
    except (Stop, subprocess.TimeoutExpired) as exc:
        print(f"needle: {exc}", file=sys.stderr)
        return 1
    except OSError as exc:
        print(f"needle: .venv cannot be made: {exc}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nneedle: interrupted; run it again to go on.", file=sys.stderr)
        return 130
    return 0


def wanted(options: argparse.Namespace) -> tuple[str, str]:
    """Return the list to install, and why."""
    if options.dev:
        return WHOLE, "tests, checks and training need it"
    if options.all:
        return WHOLE, "ALL=1 asks for it"
    if options.cpu:
        return CPU, "--cpu asks for it"
    return choose(os.environ, installed=bool(read(stamp_of(options.venv, WHOLE))))


def bring_up(root: Path, locks: list[str], venv: Path, why: str = "it was asked for") -> None:
    """Install every lock that is not installed yet; `why` is for the first. Raises Stop."""
    for lock in locks:
        if read(stamp_of(venv, lock)) != digest(root / lock):
            if lock != DEV:
                say(sentence(lock, why))
            if lock == WHOLE and read(stamp_of(venv, CPU)):
                check_disk(venv, NEEDED_BYTES[WHOLE])
            make_venv(venv, lock)
            install(root, lock, venv)
            stamp_of(venv, lock).write_text(digest(root / lock))
    build(root, venv)
    write_command(venv)
    for packages in (venv / "lib").glob("python3.*/site-packages"):
        put(packages / "needle-checkout.pth", str(root) + "\n")


def stamp_of(venv: Path, lock: str) -> Path:
    """Return where the hash of an installed lock is kept."""
    return venv / (".installed-" + lock.replace("/", "-"))


def digest(lock: Path) -> str:
    """Return a lock's hash."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def read(stamp: Path) -> str:
    """Return a stamp's text, nothing when there is none or its environment is gone."""
    usable = (stamp.parent / "bin" / "python").exists()
    return stamp.read_text() if usable and stamp.exists() else ""


def make_venv(venv: Path, lock: str) -> None:
    """Make the environment, unless a working one of a supported Python is there. Raises Stop."""
    if works(venv):
        return
    check_disk(venv, NEEDED_BYTES.get(lock, 0))
    base = find_python()
    version = ".".join(map(str, version_of(base) or ()))
    say(f"Making {venv.name} with Python {version} ...")
    done = subprocess.run(
        [base, "-m", "venv", "--clear", str(venv)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip().splitlines()
        raise Stop("Python cannot make a virtual environment: " + (said[-1] if said else base))


def works(venv: Path) -> bool:
    """Tell whether an environment is there and has pip and a supported Python.

    Raises Stop where that cannot be told: nothing is cleared that only answers slowly.
    """
    made = str(venv / "bin" / "python")
    try:
        return version_of(made) in SUPPORTED and runs([made, "-m", "pip", "--version"])
    except subprocess.TimeoutExpired:
        raise Stop(
            f"{made} does not answer within {ANSWER_S:.0f} s: try again when this machine is less "
            f"busy, or remove {venv}."
        ) from None


def check_disk(venv: Path, needed_bytes: int) -> None:
    """Raise Stop when the disk has no room for the environment."""
    free = shutil.disk_usage(str(venv.parent)).free
    if free < needed_bytes:
        raise Stop(
            f"the disk has {free / 1e9:.1f} GB free and {venv.name} needs {needed_bytes / 1e9:g} "
            "GB: make room, or clone Needle onto a larger disk."
        )


def find_python() -> str:
    """Return a supported Python that can make environments: this one, else one on the PATH.

    Where a supported one lacks only the module venv, and this is root's Debian or Ubuntu, the
    module is installed. Raises Stop.
    """
    names = [sys.executable] + ["python{}.{}".format(*version) for version in reversed(SUPPORTED)]
    supported = [name for name in names if version_of(name) in SUPPORTED]
    for name in supported:
        if makes_environments(name):
            return name
    if supported:
        return with_venv(supported[0])
    raise Stop(
        f"Needle needs Python {VERSIONS}, and this machine has {platform.python_version()}:"
        " install one of them, or name it with `make PYTHON=/path/to/python3.13 ...`."
    )


def makes_environments(python: str) -> bool:
    """Tell whether a Python has what Debian keeps in a package of its own."""
    return runs([python, "-c", "import ensurepip, venv"])


def with_venv(python: str) -> str:
    """Install the module venv of a Python that lacks it, and return the Python. Raises Stop."""
    package = "python{}.{}-venv".format(*(version_of(python) or ()))
    say(f"{python} lacks the module venv; installing {package} ...")
    why = install_packages([package]) or f"{package} does not bring it"
    if makes_environments(python):
        return python
    raise Stop(
        f"{python} lacks the module venv, and it cannot be installed here ({why}): install it (on "
        f"Debian and Ubuntu: apt install {package})."
    )


def version_of(python: str) -> tuple[int, int] | None:
    """Return a Python's version by running it: a shim on the PATH may lead nowhere.

    Raises TimeoutExpired.
    """
    try:
        done = subprocess.run(
            [python, "--version"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ANSWER_S,
        )
    except OSError:
        return None
    found = re.match(r"Python (\d+)\.(\d+)", done.stdout.decode(errors="replace"))
    return (int(found.group(1)), int(found.group(2))) if found and not done.returncode else None


def runs(command: list[str]) -> bool:
    """Tell whether a command ends well. Raises TimeoutExpired."""
    try:
        quiet = subprocess.DEVNULL
        return subprocess.run(command, stdout=quiet, stderr=quiet, timeout=ANSWER_S).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
