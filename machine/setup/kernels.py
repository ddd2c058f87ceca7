"""Compiles the workers' kernels (`worker/native/*.c`) into an environment.

`python -m machine.setup.kernels [PREFIX]`, of the environment that runs unless told. It takes the
compiler that there is, else the one of a Python package, for as long as it takes. Standard library
only, and no syntax newer than Python 3.7: `machine/setup/bootstrap.py` uses it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from common.kernels import FLAGS, PLAIN, built, sources, targets
from machine.setup.installing import Stop, install, say
from machine.setup.lists import COMPILER

COMPILERS = ("cc", "gcc", "clang")


def build(root: Path, prefix: Path) -> None:
    """Compile what is not there yet for the environment at `prefix`. Raises Stop."""
    missing = [target for target in targets() if not built(target, prefix).exists()]
    if not missing:
        return
    own = [shlex.split(os.environ["CC"])] if os.environ.get("CC") else []
    for command in own + [[name] for name in COMPILERS]:
        if shutil.which(command[0]) and not _compiled(command, missing, prefix, os.environ):
            return
    say("There is no C compiler here that works; taking one from a package (0.1 GB) ...")
    with tempfile.TemporaryDirectory(dir=str(prefix)) as folder:
        try:
            install(root, COMPILER, prefix, into=Path(folder))
        except Stop as exc:
            way_out = "a C compiler does as well; Debian and Ubuntu: apt install gcc"
            raise Stop(f"{exc}\n  ({way_out})") from exc
        zig = [str(prefix / "bin" / "python"), "-m", "ziglang", "cc"]
        caches = {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder}
        said = _compiled(zig, missing, prefix, {**os.environ, **caches, "PYTHONPATH": folder})
    if said:
        raise Stop(f"the kernels in worker/native cannot be compiled: {said}")


def _compiled(
    command: list[str], missing: list[str], prefix: Path, environment: Mapping[str, str]
) -> str:
    """Compile for each target; return why not, nothing where it is done."""
    for target in missing:
        path = built(target, prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f".{os.getpid()}-{path.name}")
        march = [] if target == PLAIN else [f"-march={_spelt(target, command)}"]
        call = [*command, *FLAGS, *march, *map(str, sources()), "-o", str(made)]
        try:
            done = subprocess.run(
                call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
            )
        except OSError as exc:
            return str(exc)
        if done.returncode:
            said = done.stdout.decode(errors="replace").strip().splitlines()
            return said[0] if said else f"{command[0]} ended with {done.returncode}"
        os.replace(str(made), str(path))  # whole or not at all: others may load it
    return ""


def _spelt(target: str, command: list[str]) -> str:
    return target.replace("-", "_") if "ziglang" in command else target


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
