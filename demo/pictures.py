"""The sample photos, drawn once by `python -m demo.samples`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from demo.errors import DemoError
from demo.samples import SampleSet, load
from machine.stack.services import ROOT

_DREW = re.compile(r"drew (\d+) of (\d+)")


def sample_pictures(folder: Path, on_progress: Callable[[int, int], None]) -> SampleSet:
    """Return the sample set, drawn first if need be; `on_progress` gets (drawn, all).

    It is drawn by processes of their own, which end with this call however it ends: Ctrl-C reaches
    them through here and not through the terminal, which would have each of them complain.
    Raises DemoError.
    """
    last = ""
    with _drawing(folder) as (process, lines):
        for line in lines:
            last = line.strip() or last
            drawn = _DREW.search(line)
            if drawn:
                on_progress(int(drawn[1]), int(drawn[2]))
        if process.wait():
            raise DemoError(f"The sample photos could not be drawn: {last}.")
    return load(folder)


@contextmanager
def _drawing(folder: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Run the generator; kill it and its helpers on the way out."""
    process = subprocess.Popen(
        [sys.executable, "-m", "demo.samples", str(folder)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr
    try:
        with process.stderr as lines:
            yield process, lines
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
