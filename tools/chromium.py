"""Finds the machine's Chromium for the browser tests, and installs it where that is possible.

`python tools/chromium.py` ends with 0 whatever it finds: without a Chromium those tests skip
themselves, and say what to do. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

SETTING = "NEEDLE_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
INSTALL_S = 300
HINT = (
    "install Chromium (on Debian: apt-get install chromium), or name the file of one with "
    f"{SETTING}=/path/to/chromium"
)
Run = Callable[[Sequence[str], float], bool]


def find(env: Mapping[str, str] = os.environ) -> Path | None:
    """Return the browser's file: the one that the environment names, else one on the PATH."""
    named = env.get(SETTING)
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    found = (shutil.which(name, path=env.get("PATH")) for name in NAMES)
    return next((Path(path) for path in found if path), None)


def install(run: Run, *, root: bool, timeout_s: float = INSTALL_S) -> str:
    """Install Chromium by the system's packages; return why not, nothing when it was tried."""
    if not shutil.which("apt-get"):
        return "this system has no apt-get"
    if not root:
        return "only root may install packages"
    steps = (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"])
    for step in steps:
        if not run(["apt-get", *step], timeout_s):
            return f"apt-get {step[0]} did not end well within {timeout_s:.0f} s"
    return ""


def main() -> int:
    """Have a Chromium, or say in a sentence why there is none."""
    if find():
        return 0
    why = f"{SETTING} names no program"
    if not os.environ.get(SETTING):
        print("needle: the browser tests need Chromium; installing it ...", flush=True)
        why = install(_run, root=os.geteuid() == 0)
    if not find():
        print(f"needle: the browser tests are skipped: {why or 'no Chromium came of it'}; {HINT}.")
    return 0


def _run(command: Sequence[str], timeout_s: float) -> bool:
    """Tell whether a command ends well in time; its output is shown only where it does not."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=env, timeout=timeout_s, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    if done.returncode:
        print(done.stdout.decode(errors="replace")[-1000:])
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
