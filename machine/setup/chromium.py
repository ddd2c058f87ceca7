"""Finds the machine's Chromium for the browser tests, and installs it where that is possible.

`python -m machine.setup.chromium` ends with 0 whatever it finds: without a Chromium, or where
Playwright's driver does not run, those tests skip themselves, and say what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from machine.setup.debian import install_packages

SETTING = "NEEDLE_CHROMIUM"
SHELL = "chromium-headless-shell"
"""Chromium without a window, as Debian packages it: a page takes a fifth of the processor time."""
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HINT = (
    f"install Chromium and libatomic (on Debian: apt-get install {SHELL} libatomic1), or name "
    f"the file of a Chromium with {SETTING}=/path/to/chromium"
)


def find(env: Mapping[str, str] = os.environ) -> Path | None:
    """Return the browser's file: the one that the environment names, else one on the PATH."""
    named = env.get(SETTING)
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    found = (shutil.which(name, path=env.get("PATH")) for name in NAMES)
    return next((Path(path) for path in found if path), None)


def driver_fault() -> str:
    """Return why Playwright's driver does not run here, nothing where it does.

    The driver is a Node.js that comes with the package; a bare machine lacks a library of its.
    """
    from playwright._impl._driver import compute_driver_executable

    node = str(compute_driver_executable()[0])
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"{node}: {exc}"
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]


def missing() -> str:
    """Return what keeps the browser tests from running, nothing where they can be run."""
    if find() is None:
        named = os.environ.get(SETTING)
        return f"{SETTING}={named} names no program" if named else "there is no Chromium"
    fault = driver_fault()
    return f"Playwright's driver does not start ({fault})" if fault else ""


def _install() -> str:
    """Install what is missing; return why that failed, nothing where it did not."""
    if find():
        return install_packages(["libatomic1"])
    # Not every Debian and Ubuntu has the one without a window.
    return install_packages([SHELL, "libatomic1"]) and install_packages(["chromium", "libatomic1"])


def main() -> int:
    """Have a Chromium and what its driver needs, or say in a sentence what is missing."""
    lacking = missing()
    if not lacking:
        return 0
    why = ""
    if find() or not os.environ.get(SETTING):
        print(f"needle: the tests of the page: {lacking}; installing it ...", flush=True)
        why = _install()
        lacking = missing()
    if lacking:
        because = f" ({why})" if why else ""
        print(f"needle: the tests of the page are skipped: {lacking}{because}; {HINT}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
