"""Writes `.venv/bin/needle`, the command line of the checkout.

Standard library only, and no syntax newer than Python 3.7: `machine/setup/bootstrap.py` uses it.
"""

from __future__ import annotations

import os
from pathlib import Path

COMMAND = """#!/bin/sh
# The command line of Needle, from the checkout around this .venv; `make setup` wrote it. It can be
# run from any folder and through a link. First sh reads it, which finds Python, then Python does.
''':'
bin=$(dirname "$(readlink -f "$0")")
exec "$bin/python" "$bin/needle" "$@"
'''
import sys
from pathlib import Path

# Neither the folder that one is in nor PYTHONPATH is asked for `needle` before the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from needle.__main__ import run

run()
"""


def write_command(venv: Path) -> None:
    """Write `bin/needle`, the command line of the checkout around an environment, if it is another
    or not there."""
    put(venv / "bin" / "needle", COMMAND, mode=0o755)


def put(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file, unless it is there and says the same; what was there may be a link."""
    if path.is_symlink() or not path.is_file() or path.read_text() != text:
        partial = path.with_name(path.name + ".part")
        partial.write_text(text)
        partial.chmod(mode)
        os.replace(str(partial), str(path))
