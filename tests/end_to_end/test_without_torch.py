"""The service in an environment without PyTorch: it starts, indexes and finds.

`make test` makes the environment, `.venv-cpu`, of the locked list for CPUs, and makes it again when
the list changes (`make setup-cpu`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from demo.samples import generate
from machine.stack.network import readiness
from needle import Needle
from tests.conftest import REPO, free_port

PYTHON = REPO / ".venv-cpu" / "bin" / "python"
HEAVY = ("torch", "torchvision", "transformers", "yolov5")
START_S = 300.0

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="there is no environment without PyTorch: run `make setup-cpu`"
)


def environment(**settings: str) -> dict[str, str]:
    """Return the environment of a process there: this one's, with these settings alone."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NEEDLE_", "PYTHONPATH"))}
    return {**kept, **settings}


def test_torch_cannot_be_imported_there() -> None:
    source = f"import importlib.util as i; print([n for n in {HEAVY} if i.find_spec(n)])"
    done = subprocess.run(
        [PYTHON, "-c", source], cwd=REPO, env=environment(), capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `make up` there, without make, and return where it answers."""
    folder, port = tmp_path_factory.mktemp("service"), free_port()
    command = [PYTHON, "-m", "machine", "up", "--data", str(folder), "--port", str(port)]
    with (folder / "up.log").open("w+") as said:
        running = subprocess.Popen(
            command, cwd=REPO, env=environment(), stdout=said, stderr=subprocess.STDOUT
        )
        try:
            yield wait_for(f"http://127.0.0.1:{port}", running, folder / "up.log")
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(60)


def wait_for(url: str, running: subprocess.Popen[bytes], said: Path) -> str:
    deadline = time.monotonic() + START_S
    while running.poll() is None and time.monotonic() < deadline:
        if readiness(url).get("status") == "ready":
            return url
    pytest.fail(f"The service did not start: {said.read_text()}")


def test_it_starts_indexes_and_finds(url: str, tmp_path: Path) -> None:
    samples = generate(tmp_path, scenes=2, size=(900, 600))
    with Needle(url) as needle:
        job = needle.wait(needle.index(samples.photos), timeout_s=300)
        assert (job.status, job.progress.done) == ("succeeded", 2)
        for path in samples.photos:
            with Image.open(path) as photo:
                photo.crop((300, 150, 600, 450)).save(tmp_path / "crop.png")
            found = needle.search(tmp_path / "crop.png")
            assert found.found and found.best is not None
            assert found.best.filename == path.name


@pytest.mark.parametrize("role", ["index", "search"])
@pytest.mark.parametrize(
    "setting", [{"NEEDLE_MODELS": "standard"}, {"NEEDLE_DETECTOR": "n"}], ids=lambda one: min(one)
)
def test_models_that_need_torch_end_the_start_with_the_command_that_installs_it(
    setting: dict[str, str], role: str, redis_url: str, tmp_path: Path
) -> None:
    env = environment(NEEDLE_REDIS_URL=redis_url, NEEDLE_DATA_DIR=str(tmp_path), **setting)
    done = subprocess.run(
        [PYTHON, "-m", "worker", role], cwd=REPO, env=env, capture_output=True, text=True
    )
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert "`make setup ALL=1`" in said and "Traceback" not in said
    assert len(said.splitlines()) == 1, said
