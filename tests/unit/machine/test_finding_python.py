"""Which Python makes the environment, and what is said where none can."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from machine.setup import bootstrap, installing
from tests.unit.machine.helpers import shim


def test_another_python_is_found_past_a_shim_that_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim(tmp_path, "python3.14", "echo 'pyenv: python3.14: command not found' >&2; exit 127")
    shim(tmp_path, "python3.11", "[ $1 = --version ] && echo Python 3.11.2; exit 0")
    shim(tmp_path, "python3", "echo Python 3.10.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    assert bootstrap.find_python() == "python3.11"


def test_an_unsupported_python_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim(tmp_path, "python3", "echo Python 3.8.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    with pytest.raises(installing.Stop, match=r"needs Python 3\.11, 3\.12, 3\.13 or 3\.14"):
        bootstrap.find_python()


WITHOUT_VENV = """
case "$*" in
  --version) echo Python 3.11.2 ;;
  *) [ -e {folder}/venv ] ;;
esac"""


def test_a_python_without_venv_gets_it_from_the_systems_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim(tmp_path, "python3", WITHOUT_VENV.format(folder=tmp_path))
    shim(tmp_path, "apt-get", f'case "$*" in *python3.11-venv) : > {tmp_path}/venv;; esac')
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert bootstrap.find_python() == str(tmp_path / "python3")


@pytest.mark.parametrize(
    ("apt", "user", "why"),
    [
        (None, 0, "no apt-get"),
        ("exit 0", 1000, "only root"),
        ("exit 100", 0, "apt-get update did not end well"),
        ("exit 0", 0, r"python3\.11-venv does not bring it"),
    ],
)
def test_a_python_without_venv_names_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apt: str | None, user: int, why: str
) -> None:
    shim(tmp_path, "python3", WITHOUT_VENV.format(folder=tmp_path))
    if apt:
        shim(tmp_path, "apt-get", apt)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    monkeypatch.setattr("os.geteuid", lambda: user)
    with pytest.raises(installing.Stop, match=rf"{why}.*apt install python3\.11-venv"):
        bootstrap.find_python()
