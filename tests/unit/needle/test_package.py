"""What `pip install .` installs: the package `needle`, and nothing beside it."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import needle
from needle import cli
from tests.conftest import REPO

BUILD = "import setuptools.build_meta as build, sys; build.build_wheel(sys.argv[1])"
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel from a copy: a build leaves folders beside what it builds."""
    pytest.importorskip("setuptools")
    copy, made = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for name in FILES:
        shutil.copy(REPO / name, copy)
    for package in ("needle", "common", "web", "machine", "lab"):
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPO / package, copy / package, ignore=skipped)
    command = [sys.executable, "-c", BUILD, str(made)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(made.glob("needle-*.whl")))


def test_the_wheel_holds_all_of_needle_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    packed = {name for name in wheel.namelist() if name.startswith("needle/")}
    sources = {
        str(path.relative_to(REPO))
        for path in (REPO / "needle").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == sources and "needle/py.typed" in packed
    others = {name.partition("/")[0].rpartition(".")[2] for name in wheel.namelist()}
    assert others == {"needle", "data", "dist-info"}


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", "bash-completion/completions/needle.bash"),
        ("zsh", "zsh/site-functions/_needle"),
        ("fish", "fish/vendor_completions.d/needle.fish"),
    ],
)
def test_the_wheel_puts_completions_where_shells_look(
    wheel: zipfile.ZipFile, shell: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["completion", shell]) == 0
    packed = next(name for name in wheel.namelist() if name.endswith(f".data/data/share/{place}"))
    assert wheel.read(packed).decode() == capsys.readouterr().out


def test_every_name_of_the_package_is_there_and_declared_to_type_checkers() -> None:
    for name in needle.__all__:
        assert getattr(needle, name) is not None and name in dir(needle)
    with pytest.raises(AttributeError, match="no attribute 'Nail'"):
        needle.Nail  # noqa: B018
    declared = {
        name.name
        for node in ast.walk(ast.parse(Path(needle.__file__).read_text()))
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert {*needle.__all__} <= declared | {"__version__"}


def test_the_wheel_says_its_licence_its_needs_and_its_command(wheel: zipfile.ZipFile) -> None:
    told = {Path(name).name: name for name in wheel.namelist() if ".dist-info/" in name}
    assert {"LICENSE", "NOTICE"} <= set(told)
    assert wheel.read(told["top_level.txt"]).decode().split() == ["needle"]
    assert "needle = needle.__main__:run" in wheel.read(told["entry_points.txt"]).decode()
    needs = [
        line.removeprefix("Requires-Dist: ").partition(">")[0]
        for line in wheel.read(told["METADATA"]).decode().splitlines()
        if line.startswith("Requires-Dist: ")
    ]
    assert sorted(needs) == ["chardet", "click", "httpx", "pillow", "rich"]
