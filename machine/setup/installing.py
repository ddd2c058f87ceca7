"""Has pip install a lock, shows how far it is, and says why where it fails.

Standard library only, and no syntax newer than Python 3.7: `machine/setup/bootstrap.py` uses it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from machine.setup.lists import COMPILER, CPU, DEV, WHOLE

VERSIONS = "3.11, 3.12, 3.13 or 3.14"
DURATION = {CPU: "half a minute", WHOLE: "some minutes", DEV: "half a minute", COMPILER: "seconds"}

CAUSES = (
    (
        "No space left on device|Errno 28|Disk quota exceeded",
        "the disk is full; with PyTorch, .venv and pip's downloads take 8 GB, without it 1.5 GB",
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


def install(
    root: Path, lock: str, venv: Path, into: Path | None = None, python: str | None = None
) -> None:
    """Install a lock, every file's hash checked. Raises Stop.

    Or put it `into` another folder, of which nothing is kept, by the pip of another `python`.
    """
    pins = len(re.findall(r"^[a-zA-Z0-9][^\s;]*==", (root / lock).read_text(), re.MULTILINE))
    say(f"Installing {lock}: up to {pins} packages, {DURATION[lock]} the first time ...")
    own = python or str(venv / "bin" / "python")
    command = [own, "-m", "pip", "install", "--no-deps"]
    command += ["--require-hashes", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "-r", str(root / lock)]
    if into is not None:
        command += ["--target", str(into), "--no-cache-dir"]
    if not os.environ.get("PYTHONDONTWRITEBYTECODE"):
        # pip compiles every file, one after the other; a start compiles those that it imports.
        command.append("--no-compile")
    with (venv / "pip.log").open("w") as log:
        status = follow(command, log, lock, pins, into)
    if status:
        raise Stop(explain(status, Path(log.name), lock))


def follow(
    command: list[str], log: IO[str], lock: str, pins: int, scratch: Path | None = None
) -> int:
    """Run pip, its words into the log, a line of progress for the user; return its status.

    It unpacks in `scratch`, where there is one: the machine's own place for it may be small.
    """
    environment = dict(os.environ, **({"TMPDIR": str(scratch)} if scratch else {}))
    started, seen, shown = time.monotonic(), 0, 0.0
    pip = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        env=environment,
    )
    try:
        for line in pip.stdout or ():
            log.write(line)
            log.flush()
            seen += line.startswith(("Collecting ", "Requirement already"))
            what = line.split()[1].split("==")[0] if line.startswith("Collecting ") else ""
            if line.startswith("Installing collected"):
                what = "unpacking"
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
