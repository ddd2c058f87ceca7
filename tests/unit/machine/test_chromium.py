"""The browser of the browser tests: found, installed, or missed in a sentence that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.setup import chromium, debian


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of the PATH, on which Playwright's driver runs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(chromium.SETTING, raising=False)
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(program(tmp_path / "node")))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def program(path: Path, script: str = "") -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


NO_LIBATOMIC = "echo 'node: libatomic.so.1: cannot open shared object file' >&2; exit 127"


def test_the_one_that_is_named_goes_before_those_on_the_path(folder: Path) -> None:
    other, named = program(folder / "google-chrome"), program(folder / "mine")
    assert chromium.find({"PATH": str(folder)}) == other
    assert chromium.find({"PATH": str(folder), chromium.SETTING: str(named)}) == named


def test_a_name_that_leads_nowhere_is_not_replaced_by_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program(folder / "chromium")
    monkeypatch.setenv(chromium.SETTING, str(folder / "gone"))
    assert chromium.find() is None
    assert chromium.main() == 0
    assert f"{chromium.SETTING}={folder}/gone names no program" in capsys.readouterr().out


def test_both_packages_are_installed_where_there_is_no_browser(folder: Path) -> None:
    program(folder / "apt-get", f'echo "$@" >> {folder}/calls; : > {folder}/done')
    assert chromium.main() == 0
    assert (folder / "calls").read_text().splitlines()[-1].endswith(f"{chromium.SHELL} libatomic1")


def test_where_there_is_none_without_a_window_another_is_installed(folder: Path) -> None:
    lacks = f'case "$*" in *{chromium.SHELL}*) exit 100 ;; esac'
    program(folder / "apt-get", f'{lacks}; echo "$@" >> {folder}/calls')
    assert chromium.main() == 0
    assert (folder / "calls").read_text().splitlines()[-1].endswith("chromium libatomic1")
    program(folder / "chromium")
    assert chromium.find() == folder / "chromium"
    shell = program(folder / chromium.SHELL)
    assert chromium.find() == shell


def test_a_driver_that_lacks_a_library_gets_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(folder / "chromium")
    program(folder / "node", f"[ -e {folder}/libatomic1 ] || {{ {NO_LIBATOMIC}; }}")
    program(folder / "apt-get", f'[ "$1" = update ] || : > {folder}/"${{5}}"')
    assert "libatomic" in chromium.missing()
    assert chromium.main() == 0
    assert chromium.missing() == ""
    assert "skipped" not in capsys.readouterr().out


def test_without_one_the_tests_are_told_off_and_nothing_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chromium.main() == 0  # there is no apt-get on this PATH either
    said = capsys.readouterr().out
    assert "skipped: there is no Chromium (this system has no apt-get)" in said
    assert f"{chromium.SETTING}=" in said
    program(folder / "chromium")
    program(folder / "node", NO_LIBATOMIC)
    assert chromium.main() == 0
    assert "libatomic.so.1: cannot open shared object file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("apt", "user", "works", "why"),
    [
        (False, 0, True, "no apt-get"),
        (True, 1000, True, "only root"),
        (True, 0, False, "apt-get update did not end well"),
        (True, 0, True, ""),
    ],
)
def test_what_keeps_a_package_from_being_installed_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, apt: bool, user: int, works: bool, why: str
) -> None:
    if apt:
        program(folder / "apt-get")
    monkeypatch.setattr("os.geteuid", lambda: user)
    said = debian.install_packages(["chromium"], lambda *_: works)
    assert why in said and bool(why) == bool(said)


def test_a_slow_installation_is_given_up() -> None:
    sleep = Path("/bin/sleep")
    if not sleep.exists():
        pytest.skip("there is no /bin/sleep")
    assert not debian.run_quietly([str(sleep), "60"], 0.1)
