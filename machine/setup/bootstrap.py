#!/usr/bin/env python3
"""Makes `.venv` and installs the locked requirements, or says in a sentence why it cannot.

`python -m machine.setup.bootstrap`. Standard library only, and no syntax newer than Python 3.7, so
that an unsupported Python can still read it and say so. A stamp of each lock's hash is written
last: an up-to-date environment costs a few milliseconds, an interrupted installation is done again.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from machine.setup.command import put, write_command
from machine.setup.debian import install_packages

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 14))
VERSIONS = "3.11, 3.12, 3.13 or 3.14"
NEEDED_BYTES = 8 * 10**9

CAUSES = (
    (
        "No space left on device|Errno 28|Disk quota exceeded",
        "the disk is full; 8 GB are needed for .venv, and 3 GB for pip's downloads",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the package index's certificate is not trusted here (a proxy?); see pip's option --cert",
    ),
    (
        "DO NOT MATCH THE HASHES",
        "a downloaded file is not the one that was locked (damaged, or altered on the way)",
    ),
    (
        "name resolution|Name or service not known|NewConnectionError|Network is unreachable"
        "|ConnectTimeout|Connection refused|ProxyError|Read timed out|Max retries exceeded"
        "|getaddrinfo failed|IncompleteRead|Connection reset",
        "the package index cannot be reached; check the network, or pip's proxy and index settings",
    ),
    (
        "command '?[^ ]*(gcc|cc|c\\+\\+|g\\+\\+|clang|cargo)'? failed|unable to execute|cl\\.exe"
        "|Unknown compiler|can't find Rust compiler",
        "a package has to be built here and there is no compiler (on Debian and Ubuntu: "
        "apt install build-essential python3-dev)",
    ),
    (
        "Failed building wheel|Failed to build|subprocess-exited-with-error",
        "a package has to be built here and its build failed",
    ),
    (
        "No matching distribution found",
        "there is no package for this machine and Python; Needle is locked for Linux (x86-64 and "
        f"arm64) and macOS (arm64) with Python {VERSIONS}",
    ),
    (
        "Permission denied|Errno 13|Read-only file system",
        "the folder of .venv may not be written to",
    ),
)


class Stop(Exception):
    """The environment cannot be made; the message is the sentence for the user."""


def main() -> int:
    """Bring `.venv` up to date; return the exit status."""
    parser = argparse.ArgumentParser(description="Make .venv and install the locked requirements.")
    parser.add_argument("--dev", action="store_true", help="what tests and checks need, too")
    options = parser.parse_args()
    locks = ["requirements.txt"] + (["requirements/dev.txt"] if options.dev else [])
    try:
        with open(__file__) as own:  # two at a time would write into each other's .venv
            fcntl.flock(own, fcntl.LOCK_EX)
            bring_up(ROOT, locks)
    except Stop as exc:
        print(f"needle: {exc}", file=sys.stderr)
        return 1
    except OSError as exc:
        print(f"needle: .venv cannot be made: {exc}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nneedle: interrupted; run it again to go on.", file=sys.stderr)
        return 130
    return 0


def bring_up(root: Path, locks: list[str]) -> None:
    """Install every lock that is not installed yet. Raises Stop."""
    venv = root / ".venv"
    for lock in locks:
        if read(stamp_of(venv, lock)) != digest(root / lock):
            make_venv(root)
            install(root, lock)
            stamp_of(venv, lock).write_text(digest(root / lock))
    write_command(root)
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


def make_venv(root: Path) -> None:
    """Make `.venv`, unless a working one of a supported Python is there. Raises Stop."""
    venv = root / ".venv"
    made = str(venv / "bin" / "python")
    if version_of(made) in SUPPORTED and runs([made, "-m", "pip", "--version"]):
        return
    check_disk(root)
    base = find_python()
    say("Making .venv with Python {} ...".format(".".join(map(str, version_of(base) or ()))))
    done = subprocess.run(
        [base, "-m", "venv", "--clear", str(venv)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip().splitlines()
        raise Stop("Python cannot make a virtual environment: " + (said[-1] if said else base))


def check_disk(root: Path) -> None:
    """Raise Stop when the disk has no room for `.venv`."""
    free = shutil.disk_usage(str(root)).free
    if free < NEEDED_BYTES:
        raise Stop(
            f"the disk has {free / 1e9:.1f} GB free and .venv needs {NEEDED_BYTES / 1e9:.0f} GB: "
            "make room, or clone Needle onto a larger disk."
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
    """Return a Python's version by running it: a shim on the PATH may lead nowhere."""
    try:
        done = subprocess.run(
            [python, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"Python (\d+)\.(\d+)", done.stdout.decode(errors="replace"))
    return (int(found.group(1)), int(found.group(2))) if found and not done.returncode else None


def runs(command: list[str]) -> bool:
    """Tell whether a command ends well."""
    try:
        quiet = subprocess.DEVNULL
        return subprocess.run(command, stdout=quiet, stderr=quiet, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def install(root: Path, lock: str) -> None:
    """Install a lock, every file's hash checked. Raises Stop."""
    venv = root / ".venv"
    pins = len(re.findall(r"^[a-zA-Z0-9][^\s;]*==", (root / lock).read_text(), re.MULTILINE))
    say(f"Installing {lock}: up to {pins} packages, some minutes the first time ...")
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--no-deps"]
    command += ["--require-hashes", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "-r", str(root / lock)]
    with (venv / "pip.log").open("w") as log:
        status = follow(command, log, lock, pins)
    if status:
        raise Stop(explain(status, Path(log.name), lock))


def follow(command: list[str], log: IO[str], lock: str, pins: int) -> int:
    """Run pip, its words into the log, a line of progress for the user; return its status."""
    started, seen, shown = time.monotonic(), 0, 0.0
    pip = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    try:
        for line in pip.stdout or ():
            log.write(line)
            log.flush()
            seen += line.startswith(("Collecting ", "Requirement already"))
            what = line.split()[1].split("==")[0] if line.startswith("Collecting ") else ""
            if line.startswith("Installing collected"):
                what = "unpacking, a minute or two"
            if what and time.monotonic() - shown > (0.1 if sys.stdout.isatty() else 15):
                shown = time.monotonic()
                say(f"  {seen}/{pins} {what} ({shown - started:.0f} s)", passing=True)
        return pip.wait()
    finally:
        pip.kill()
        pip.communicate()
        say(f"  {lock}: {time.monotonic() - started:.0f} s")


def explain(status: int, log: Path, lock: str) -> str:
    """Return why pip failed: a sentence, the end of its log, and where the rest is."""
    lines = [line.rstrip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = "\n".join(lines)
    why = f"pip ended with status {status}"
    if status < 0:
        why = f"pip was ended by signal {-status}; if nobody sent it, the memory is full"
    for pattern, cause in CAUSES:
        if re.search(pattern, said):
            why = cause
            break
    tail = "".join("\n    " + line[:200] for line in lines[-5:])
    return f"{lock} cannot be installed: {why}.{tail}\n  (all of it: {log})"


def say(sentence: str, passing: bool = False) -> None:
    """Print a line; on a terminal a passing one is overwritten by the next."""
    if sys.stdout.isatty():
        print("\r\033[K" + sentence, end="" if passing else "\n", flush=True)
    else:
        print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
