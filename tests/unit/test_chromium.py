"""The browser of the browser tests: found, installed, or missed in a sentence that helps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import chromium


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(chromium.SETTING, raising=False)
    return tmp_path


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_one_that_is_named_goes_before_those_on_the_path(folder: Path) -> None:
    other, named = program(folder / "google-chrome"), program(folder / "mine")
    assert chromium.find({"PATH": str(folder)}) == other
    assert chromium.find({"PATH": str(folder), chromium.SETTING: str(named)}) == named


def test_a_name_that_leads_nowhere_is_not_replaced_by_another(folder: Path) -> None:
    program(folder / "chromium")
    assert chromium.find({"PATH": str(folder), chromium.SETTING: str(folder / "gone")}) is None


def test_it_is_installed_from_the_systems_packages(folder: Path) -> None:
    program(folder / "apt-get")
    ran: list[Sequence[str]] = []

    def run(command: Sequence[str], timeout_s: float) -> bool:
        ran.append(command)
        return True

    assert chromium.install(run, root=True) == ""
    assert [command[1] for command in ran] == ["update", "install"]


@pytest.mark.parametrize(
    ("apt", "root", "works", "why"),
    [
        (False, True, True, "no apt-get"),
        (True, False, True, "only root"),
        (True, True, False, "apt-get update did not end well"),
    ],
)
def test_what_keeps_it_from_being_installed_is_said(
    folder: Path, apt: bool, root: bool, works: bool, why: str
) -> None:
    if apt:
        program(folder / "apt-get")
    assert why in chromium.install(lambda *_: works, root=root)


def test_without_one_the_tests_are_told_off_and_nothing_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chromium.main() == 0  # there is no apt-get on this PATH either
    said = capsys.readouterr().out
    assert "the browser tests are skipped: this system has no apt-get" in said
    assert f"{chromium.SETTING}=" in said


def test_a_slow_installation_is_given_up(folder: Path) -> None:
    sleep = Path("/bin/sleep")
    if not sleep.exists():
        pytest.skip("there is no /bin/sleep")
    assert not chromium._run([str(sleep), "60"], 0.1)
