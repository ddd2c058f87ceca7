"""Compiles the workers' kernels (`worker/native/*.c`) into an environment.

`python -m machine.setup.kernels [PREFIX]`, of the environment that runs unless told. It takes the
compiler that there is, else the one of a Python package, for as long as it takes. Standard library
only, and no syntax newer than Python 3.7: `machine/setup/bootstrap.py` uses it.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from common.kernels import FLAGS, OF_PROCESSOR, built, sources, targets
from machine.setup.installing import Stop, install, say
from machine.setup.lists import COMPILER, NEEDED_BYTES

COMPILERS = ("cc", "gcc", "clang")
FOLDER = ".compiler"
"""Where in an environment the compiler of a package is for a moment."""


def build(root: Path, prefix: Path) -> None:
    """Compile what is not there yet for the environment at `prefix`. Raises Stop."""
    if not _missing(prefix):
        return
    folder = prefix / FOLDER
    said = []
    for command in _commands():
        why = _compiled(command, prefix, os.environ)
        if not why:
            return
        said.append(f"{command[0]}: {why}")
    say("There is no C compiler here that works; taking one from a package, for a moment ...")
    _check_disk(prefix)
    shutil.rmtree(str(folder), ignore_errors=True)  # of a set-up that was killed
    folder.mkdir(parents=True)
    try:
        said.append(f"ziglang: {_compiled_by_package(root, prefix, folder)}")
    except Stop as exc:
        way_out = "a C compiler does as well; Debian and Ubuntu: apt install gcc"
        raise Stop("\n  ".join([str(exc), f"({way_out})", *said])) from exc
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)
    if _missing(prefix):
        raise Stop("the kernels in worker/native cannot be compiled:\n  " + "\n  ".join(said))


def _commands() -> list[list[str]]:
    """Return the compilers that are there, the one that CC names first."""
    try:
        own = shlex.split(os.environ.get("CC", ""))
    except ValueError:
        own = []
    every = ([own] if own else []) + [[name] for name in COMPILERS]
    return [command for command in every if shutil.which(command[0])]


def _missing(prefix: Path) -> list[str]:
    return [target for target in targets() if not built(target, prefix).exists()]


def _compiled_by_package(root: Path, prefix: Path, folder: Path) -> str:
    """Compile with Zig; return why not. Raises Stop where the package cannot be had."""
    python = prefix / "bin" / "python"
    own = str(python) if python.exists() else sys.executable
    install(root, COMPILER, prefix, into=folder, python=own)
    environment = dict(os.environ, PYTHONPATH=str(folder))
    environment["ZIG_GLOBAL_CACHE_DIR"] = environment["ZIG_LOCAL_CACHE_DIR"] = str(folder)
    return _compiled([own, "-m", "ziglang", "cc"], prefix, environment)


def _compiled(command: list[str], prefix: Path, environment: Mapping[str, str]) -> str:
    """Compile for each kind of processor what is missing; return why not, nothing when done."""
    for target in _missing(prefix):
        path = built(target, prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(".*.so"):
            stale.unlink()
        made = path.with_name(f".{path.name}")
        call = [*command, *FLAGS, *OF_PROCESSOR[target], *map(str, sources()), "-o", str(made)]
        try:
            done = subprocess.run(
                call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
            )
        except OSError as exc:
            return str(exc)
        words = done.stdout.decode(errors="replace").strip().splitlines()
        if done.returncode:
            return words[0] if words else f"it ended with {done.returncode}"
        try:
            ctypes.CDLL(str(made)).needle_extrema  # noqa: B018  # a library of this machine's kind?
        except (OSError, AttributeError) as exc:
            return f"what it made cannot be loaded: {exc}"
        os.replace(str(made), str(path))  # whole or not at all: others may load it
    return ""


def _check_disk(prefix: Path) -> None:
    free = shutil.disk_usage(str(prefix)).free
    if free < NEEDED_BYTES[COMPILER]:
        raise Stop(
            f"the disk has {free / 1e9:.1f} GB free, and compiling without a compiler of your own "
            f"takes {NEEDED_BYTES[COMPILER] / 1e9:g} GB for a moment: make room, or install one "
            "(Debian and Ubuntu: apt install gcc)."
        )


def main() -> int:
    """Compile into the environment that runs, or the one named."""
    prefix = Path(sys.argv[1] if len(sys.argv) > 1 else sys.prefix)
    try:
        build(Path(__file__).resolve().parents[2], prefix)
    except (Stop, OSError) as exc:
        print(f"needle: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
