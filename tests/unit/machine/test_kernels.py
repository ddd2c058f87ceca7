"""Compiling the workers' kernels: with the compiler that there is, or with one of a package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from common.kernels import PLAIN, WIDE, built, targets
from machine.setup import kernels
from machine.setup.installing import Stop
from tests.unit.machine.helpers import shim

ROOT = Path(kernels.__file__).resolve().parents[2]
GOOD = """
echo "$0 $@" >> {calls}
while [ "$1" != -o ]; do shift; done
echo code > "$2"
"""


@pytest.fixture
def bin_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of programs, the only one there is beside the shell's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "echo", "cat"):
        (folder / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)
    return folder


def compiled(prefix: Path) -> list[bool]:
    return [built(target, prefix).exists() for target in targets()]


def calls_of(tmp_path: Path) -> list[str]:
    calls = tmp_path / "calls"
    return calls.read_text().splitlines() if calls.exists() else []


def test_they_are_compiled_once_for_each_kind_of_processor(bin_of: Path, tmp_path: Path) -> None:
    shim(bin_of, "cc", GOOD.format(calls=tmp_path / "calls"))
    kernels.build(ROOT, tmp_path)
    assert compiled(tmp_path) == [True] * len(targets())
    assert len(calls_of(tmp_path)) == len(targets())
    kernels.build(ROOT, tmp_path)
    assert len(calls_of(tmp_path)) == len(targets())
    built(PLAIN, tmp_path).unlink()
    kernels.build(ROOT, tmp_path)
    assert "-march" not in calls_of(tmp_path)[-1] and all(compiled(tmp_path))


def test_the_compiler_of_the_environment_comes_first_and_a_broken_one_is_passed_over(
    bin_of: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    shim(bin_of, "mine", GOOD.format(calls=calls))
    shim(bin_of, "cc", f"echo cc >> {calls}; exit 1")
    shim(bin_of, "gcc", GOOD.format(calls=calls))
    monkeypatch.setenv("CC", "mine --fast")
    kernels.build(ROOT, tmp_path / "a")
    assert all("mine --fast -O3" in call for call in calls_of(tmp_path))
    monkeypatch.delenv("CC")
    kernels.build(ROOT, tmp_path / "b")
    assert calls_of(tmp_path)[-len(targets()) - 1] == "cc" and all(compiled(tmp_path / "b"))
    assert [path for path in (tmp_path / "b" / "lib" / "needle").iterdir()] != []


PACKAGED = """
case "$*" in
  "-m pip install"*) {pip} ;;
  "-m ziglang cc"*) shift 3; {cc} ;;
esac
"""


def test_without_a_compiler_one_comes_as_a_package_and_goes_again(
    bin_of: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = tmp_path / "calls"
    good = GOOD.format(calls=calls)
    shim(bin_of, "python", PACKAGED.format(pip=f'echo "$@" >> {calls}', cc=good))
    kernels.build(ROOT, tmp_path)
    pip, *made = calls_of(tmp_path)
    assert "--require-hashes" in pip and "requirements/compiler.txt" in pip
    assert len(made) == len(targets()) and all(compiled(tmp_path))
    if WIDE in targets():
        assert "-march=x86_64_v3" in made[-1]  # as Zig spells it
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "lib", "calls", "pip.log"}
    assert "no C compiler" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pip", "cc", "sentence"),
    [
        ("echo NewConnectionError; exit 1", "exit 0", r"apt install gcc"),
        ("exit 0", "echo wrong; exit 1", r"cannot be compiled: wrong"),
    ],
)
def test_where_nothing_compiles_a_sentence_says_so(
    bin_of: Path, tmp_path: Path, pip: str, cc: str, sentence: str
) -> None:
    shim(bin_of, "python", PACKAGED.format(pip=pip, cc=cc))
    with pytest.raises(Stop, match=sentence):
        kernels.build(ROOT, tmp_path)
    assert compiled(tmp_path) == [False] * len(targets())


def test_the_sources_compile_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = next(filter(None, map(shutil.which, kernels.COMPILERS)), None)
    if compiler is None:
        pytest.skip("there is no C compiler here")
    monkeypatch.setattr(kernels, "COMPILERS", ())
    monkeypatch.setattr(kernels, "install", lambda *_, **__: pytest.fail("it did not compile"))
    monkeypatch.setenv("CC", f"{compiler} -Wall -Wextra -Werror")
    kernels.build(ROOT, tmp_path)
    assert all(compiled(tmp_path))
