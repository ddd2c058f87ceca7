"""Installs packages of Debian's or Ubuntu's where that is possible: as root, with apt-get.

Standard library only, and no syntax newer than Python 3.7: `machine/setup/bootstrap.py` uses it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence

INSTALL_S = 600.0
"""A browser and the hundred packages that it needs, on a slow line."""


def run_quietly(command: Sequence[str], timeout_s: float) -> bool:
    """Tell whether a command ends well in time; its output is shown only where it does not."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            list(command),
            env=env,
            timeout=timeout_s,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    if done.returncode:
        print(done.stdout.decode(errors="replace")[-1000:])
    return done.returncode == 0


def install_packages(
    packages: Sequence[str], run: Callable[[Sequence[str], float], bool] = run_quietly
) -> str:
    """Install packages; return why it could not be tried or did not work, nothing where it did.

    `run` is given a command and the longest seconds that it may take, and tells if it ended well.
    """
    if not shutil.which("apt-get"):
        return "this system has no apt-get"
    if os.geteuid() != 0:
        return "only root may install packages"
    steps = (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages])
    for step in steps:
        if not run(["apt-get", *step], INSTALL_S):
            return f"apt-get {step[0]} did not end well within {INSTALL_S:.0f} s"
    return ""
