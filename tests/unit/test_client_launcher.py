"""`./needle`, and the link to it that the bootstrap makes in .venv/bin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tools import bootstrap


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout with a space in its path, whose environment's Python is this one."""
    root = tmp_path / "my needle"
    (root / ".venv" / "bin").mkdir(parents=True)
    shutil.copy2(REPO / "needle", root)
    (root / "client").symlink_to(REPO / "client")
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root


def run(command: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(command), "--help"], cwd=cwd, capture_output=True, text=True)


def test_the_command_runs_from_anywhere(checkout: Path, tmp_path: Path) -> None:
    bootstrap.link_command(checkout)
    bootstrap.link_command(checkout)
    linked = checkout / ".venv" / "bin" / "needle"
    assert os.readlink(linked) == "../../needle", "the checkout may be moved"
    (tmp_path / "client.py").write_text("raise SystemExit('the wrong client')")
    (tmp_path / "bin").mkdir()
    far = tmp_path / "bin" / "needle"
    far.symlink_to(linked)
    for command in (checkout / "needle", linked, far):
        done = run(command, tmp_path)
        assert done.returncode == 0 and done.stdout.startswith("Usage: needle "), done.stderr


def test_something_else_in_its_place_is_replaced(checkout: Path) -> None:
    (checkout / ".venv" / "bin" / "needle").write_text("an old one")
    bootstrap.link_command(checkout)
    assert (checkout / ".venv" / "bin" / "needle").is_symlink()


def test_before_make_setup_it_says_so(checkout: Path) -> None:
    (checkout / ".venv" / "bin" / "python").unlink()
    done = run(checkout / "needle", checkout)
    assert done.returncode == 2 and "run 'make setup'" in done.stderr
