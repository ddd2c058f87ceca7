"""Compiling the workers' kernels: with the compiler that there is, or with one of a package."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import pytest

from common.kernels import PLAIN, WIDE, built, targets
from machine.setup import kernels
from machine.setup.installing import Stop
from machine.setup.lists import COMPILER, NEEDED_BYTES
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
    monkeypatch.setattr(ctypes, "CDLL", made_here)
    return folder


class Library:
    needle_extrema = None


def made_here(path: str) -> Library:
    """Stand in for loading what a stand-in for a compiler has written."""
    if "code" not in Path(path).read_text():
        raise OSError("no library")
    return Library()


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
    assert {path.suffix for path in (tmp_path / "lib" / "needle").iterdir()} == {".so"}


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


@pytest.mark.parametrize("cc", ["   ", 'gcc "', "not-there", "does-nothing", "makes-another"])
def test_what_is_no_compiler_is_passed_over(
    bin_of: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cc: str
) -> None:
    shim(bin_of, "does-nothing", "exit 0")
    shim(bin_of, "makes-another", GOOD.format(calls="/dev/null").replace("echo code", "echo other"))
    shim(bin_of, "gcc", GOOD.format(calls=tmp_path / "calls"))
    monkeypatch.setenv("CC", cc)
    kernels.build(ROOT, tmp_path)
    assert all(compiled(tmp_path)) and len(calls_of(tmp_path)) == len(targets())


def test_a_compiler_that_knows_one_kind_of_processor_leaves_the_other_to_the_next(
    bin_of: Path, tmp_path: Path
) -> None:
    if WIDE not in targets():
        pytest.skip("there is one kind of processor here")
    calls = tmp_path / "calls"
    old = 'case "$*" in *-march*) echo what is haswell; exit 1 ;; esac'
    shim(bin_of, "cc", old + GOOD.format(calls=calls))
    shim(bin_of, "gcc", GOOD.format(calls=calls))
    kernels.build(ROOT, tmp_path)
    assert [call.partition(" ")[0].rpartition("/")[2] for call in calls_of(tmp_path)] == [
        "cc",
        "gcc",
    ]


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
    (tmp_path / kernels.FOLDER / "left").mkdir(parents=True)  # by one that was killed
    kernels.build(ROOT, tmp_path)
    pip, *made = calls_of(tmp_path)
    assert "--require-hashes" in pip and "requirements/compiler.txt" in pip
    assert "--no-cache-dir" in pip
    assert len(made) == len(targets()) and all(compiled(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "lib", "calls", "pip.log"}
    assert "no C compiler" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pip", "cc", "sentence"),
    [
        ("echo NewConnectionError; exit 1", "exit 0", r"apt install gcc"),
        ("exit 0", "echo wrong; exit 1", r"cannot be compiled:(.|\n)*cc: no(.|\n)*ziglang: wrong"),
    ],
)
def test_where_nothing_compiles_a_sentence_says_so(
    bin_of: Path, tmp_path: Path, pip: str, cc: str, sentence: str
) -> None:
    shim(bin_of, "python", PACKAGED.format(pip=pip, cc=cc))
    shim(bin_of, "cc", "echo no; exit 1")
    with pytest.raises(Stop, match=sentence):
        kernels.build(ROOT, tmp_path)
    assert compiled(tmp_path) == [False] * len(targets())
    assert not (tmp_path / kernels.FOLDER).exists()


def test_a_disk_without_room_for_the_package_is_noticed(
    bin_of: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NEEDED_BYTES, COMPILER, 10**18)
    with pytest.raises(Stop, match="GB for a moment"):
        kernels.build(ROOT, tmp_path)


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
