"""The bootstrap script, with a stand-in for pip: nothing is installed here."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from machine.setup import bootstrap, installing, lists
from machine.setup.lists import CPU, DEV, NEEDED_BYTES, WHOLE
from tests.unit.machine.helpers import shim

SCRIPT = Path(bootstrap.__file__)
ROOT = SCRIPT.parents[2]
USED = ("command.py", "debian.py", "installing.py", "kernels.py", "lists.py")
"""What it imports of its folder."""

FAKE_PYTHON = """#!/bin/sh
case "$*" in
  --version) echo "Python 3.11.9" ;;
  "-m pip --version") exit 0 ;;
  *"pip install"*)
    echo "$@" >> {calls}
    cat {output}
    exit {status} ;;
esac
"""


class Project:
    """A checkout with a lock and a stand-in for its environment's Python."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = root / "calls"
        (root / "requirements").mkdir()
        (root / "requirements.txt").write_text("redis==1 \\\n    --hash=sha256:0\nrich==2 ; a\n")
        (root / "requirements/cpu.txt").write_text("redis==1\n")
        (root / "requirements/dev.txt").write_text("pytest==1\n")
        (root / ".venv" / "bin").mkdir(parents=True)
        self.pip("Collecting redis==1\nInstalling collected packages: redis\n")

    def pip(self, output: str, status: int = 0) -> None:
        """Decide what the stand-in says and returns."""
        said = self.root / "output"
        said.write_text(output)
        python = self.root / ".venv" / "bin" / "python"
        python.write_text(FAKE_PYTHON.format(calls=self.calls, output=said, status=status))
        python.chmod(0o755)

    def bring_up(self, *locks: str) -> None:
        bootstrap.bring_up(self.root, list(locks or [WHOLE]), self.root / ".venv")

    def installed(self) -> list[str]:
        """Return the locks that pip was given, in order."""
        calls = self.calls.read_text().splitlines() if self.calls.exists() else []
        locks = [call.partition(" -r ")[2].split()[0] for call in calls]
        return [lock.removeprefix(f"{self.root}/") for lock in locks]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project of which nothing is compiled: `test_kernels.py` has that."""
    monkeypatch.setattr(bootstrap, "build", lambda root, prefix: None)
    return Project(tmp_path)


def test_it_installs_the_lock_with_hashes_once(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.bring_up()
    assert "--no-deps --require-hashes" in project.calls.read_text()
    assert "up to 2 packages" in capsys.readouterr().out
    started = time.monotonic()
    project.bring_up()
    assert time.monotonic() - started < 1
    assert project.installed() == [WHOLE]
    assert capsys.readouterr().out == ""


def test_what_tests_need_is_installed_on_top(project: Project) -> None:
    project.bring_up()
    project.bring_up(WHOLE, DEV)
    assert project.installed() == [WHOLE, DEV]


def test_torch_is_installed_on_top_of_the_list_for_cpus_and_stays(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*options: str) -> str:
        """Run the bootstrap in the project; return what it said."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(bootstrap, "ROOT", project.root)
            venv = f"--venv={project.root / '.venv'}"
            patched.setattr(sys, "argv", ["bootstrap", *options, venv])
            patched.setattr(bootstrap, "choose", partial(lists.choose, find_gpu=lambda: ""))
            for name in ("NEEDLE_MODELS", "NEEDLE_DETECTOR", "NEEDLE_ENCODER", "NEEDLE_DEVICE"):
                patched.delenv(name, raising=False)
            assert bootstrap.main() == 0
        return capsys.readouterr().out

    said = run()
    assert project.installed() == [CPU]
    assert said.startswith("Without PyTorch (requirements/cpu.txt): this machine has no GPU")
    assert "`make setup ALL=1`" in said
    assert run() == ""
    assert run("--all").startswith("With PyTorch (requirements.txt): ALL=1 asks for it.")
    assert project.installed() == [CPU, WHOLE]
    assert run() == "" and run("--dev").startswith("Installing requirements/dev.txt")
    (project.root / WHOLE).write_text("redis==2\n")
    (project.root / CPU).write_text("redis==2\n")
    assert run().startswith("With PyTorch (requirements.txt): it was installed before.")
    assert project.installed() == [CPU, WHOLE, DEV, WHOLE]


def test_a_second_environment_has_its_own_place(project: Project) -> None:
    other = project.root / ".venv-cpu"
    shutil.copytree(project.root / ".venv", other)
    bootstrap.bring_up(project.root, [CPU], other)
    assert (other / "bin" / "needle").is_file() and (other / "pip.log").is_file()
    assert not (project.root / ".venv" / "bin" / "needle").exists()


def test_an_environment_that_answers_slowly_is_not_cleared(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "ANSWER_S", 0.05)
    shim(project.root / ".venv" / "bin", "python", "exec sleep 5")
    with pytest.raises(installing.Stop, match="does not answer"):
        project.bring_up()
    assert (project.root / ".venv" / "bin" / "python").exists()


@pytest.mark.parametrize("written", [True, False])
def test_files_are_compiled_beforehand_only_where_a_start_would_not_keep_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "" if written else "1")
    project.bring_up()
    assert ("--no-compile" in project.calls.read_text()) == written


def test_a_changed_lock_is_installed_again(project: Project) -> None:
    project.bring_up()
    (project.root / "requirements.txt").write_text("redis==2\n")
    project.bring_up()
    assert project.installed() == [WHOLE, WHOLE]


def test_scripts_anywhere_find_the_checkout(project: Project) -> None:
    packages = project.root / ".venv" / "lib" / "python3.12" / "site-packages"
    packages.mkdir(parents=True)
    project.bring_up()
    assert (packages / "needle-checkout.pth").read_text() == f"{project.root}\n"


def test_an_installation_that_failed_is_done_again(project: Project) -> None:
    project.pip("ERROR: something", status=1)
    with pytest.raises(installing.Stop):
        project.bring_up()
    project.pip("fine")
    project.bring_up()
    assert project.installed() == [WHOLE, WHOLE]


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        (
            "WARNING: Retrying: NewConnectionError('Temporary failure in name resolution')\n"
            "ERROR: No matching distribution found for torch==2",
            "cannot be reached",
        ),
        ("ERROR: No matching distribution found for torch==2", "Linux (x86-64 and arm64)"),
        ("error: command 'gcc' failed: No such file or directory", "there is no compiler"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "not the one that was locked"),
        ("error: subprocess-exited-with-error", "its build failed"),
        ("something new", "status 1"),
    ],
)
def test_a_failure_of_pip_is_a_sentence_with_the_end_of_its_log(
    project: Project, output: str, sentence: str
) -> None:
    project.pip(output + "\n", status=1)
    with pytest.raises(installing.Stop, match=r"requirements\.txt cannot be installed") as caught:
        project.bring_up()
    assert sentence in str(caught.value)
    assert output.splitlines()[-1] in str(caught.value)
    assert str(project.root / ".venv" / "pip.log") in str(caught.value)


def test_a_pip_that_was_killed_says_so(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Collecting torch")
    assert "signal 9" in installing.explain(-9, tmp_path / "log", "requirements.txt")


def test_a_full_disk_is_noticed_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NEEDED_BYTES, CPU, 10**18)
    with pytest.raises(installing.Stop, match=r"GB free and \.venv needs"):
        bootstrap.make_venv(tmp_path / ".venv", CPU)
    assert not (tmp_path / ".venv").exists()


def test_a_disk_that_only_torch_would_fill_is_noticed_before_it_is_downloaded(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NEEDED_BYTES, WHOLE, 10**18)
    project.bring_up(CPU)
    with pytest.raises(installing.Stop, match="make room"):
        project.bring_up(WHOLE)
    assert project.installed() == [CPU]


def test_the_script_has_no_syntax_that_an_old_python_cannot_read() -> None:
    kernels = ROOT / "common" / "kernels.py"
    for script in (SCRIPT, kernels, *(SCRIPT.with_name(name) for name in USED)):
        ast.parse(script.read_text(), feature_version=(3, 7))
        assert "from __future__ import annotations" in script.read_text()


def test_a_bare_python_imports_only_the_standard_library_on_its_way_to_the_script() -> None:
    """Without `-S` the packages of `.venv` would be there as well."""
    source = "import machine.setup.bootstrap, sys; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-S", "-c", source], cwd=ROOT, capture_output=True, text=True, check=True
    )
    allowed = {*sys.stdlib_module_names, "machine", "common", "__main__"}
    assert {name for name in done.stdout.split() if name not in allowed} == set()


def test_the_command_ends_with_1_and_a_sentence(tmp_path: Path) -> None:
    setup = tmp_path / "machine" / "setup"
    setup.mkdir(parents=True)
    for name in ("../__init__.py", "__init__.py", "bootstrap.py", *USED):
        (setup / name).write_text((SCRIPT.parent / name).read_text())
    shutil.copytree(ROOT / "common", tmp_path / "common")
    command = [sys.executable, "-m", "machine.setup.bootstrap"]  # there is no lock in this folder
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "needle: .venv cannot be made" in done.stderr and "Traceback" not in done.stderr
