"""`.venv/bin/needle`, which the bootstrap writes: the command line of the checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from machine.setup import command as launcher
from tests.conftest import REPO


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout with a space in its path, whose environment's Python is this one."""
    root = tmp_path / "my needle"
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / "needle").symlink_to(REPO / "needle")
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root


def test_the_command_runs_from_anywhere(checkout: Path, tmp_path: Path) -> None:
    launcher.write_command(checkout / ".venv")
    (tmp_path / "needle.py").write_text("raise SystemExit('the wrong needle')")
    command = checkout.rename(tmp_path / "moved") / ".venv" / "bin" / "needle"
    (tmp_path / "bin").mkdir()
    far = tmp_path / "bin" / "needle"
    far.symlink_to(command)
    for each in (command, far):
        done = subprocess.run([each, "--help"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.startswith("Usage: needle "), done.stderr


def test_it_is_written_once(checkout: Path) -> None:
    command = checkout / ".venv" / "bin" / "needle"
    launcher.write_command(checkout / ".venv")
    before = command.stat()
    launcher.write_command(checkout / ".venv")
    assert command.stat().st_ino == before.st_ino and command.stat().st_mtime == before.st_mtime


def test_a_link_that_is_in_its_place_is_replaced_and_not_written_through(checkout: Path) -> None:
    """Checkouts made before had a link there, to a file `needle` at the top."""
    command, old = checkout / ".venv" / "bin" / "needle", checkout / "old"
    old.write_text("an old one")
    command.symlink_to("../../old")
    launcher.write_command(checkout / ".venv")
    assert not command.is_symlink() and command.read_text() == launcher.COMMAND
    assert old.read_text() == "an old one"
