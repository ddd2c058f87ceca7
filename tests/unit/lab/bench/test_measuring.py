"""What measures: the clock, the cap, the forward passes, the photos."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.bench import cap, hardware
from lab.bench.baseline import OLDER, command, environment, parts
from lab.bench.children import ChildFailed, peak_mib, run_child
from lab.bench.clock import Clock, located
from lab.bench.figures import SMALL, Spent
from lab.bench.forwards import Forwards
from lab.bench.inprocess import STAGES
from lab.bench.samples import Sample
from lab.evaluation.photos import LabelledBox, Photo
from tests.assets import CPU, MINI
from worker.models.onepass.onnx_engine import cpu_precision
from worker.models.precision import resolve_precision

CPUINFO = """processor\t: 0
model name\t: Some Processor 3 GHz
flags\t\t: fpu avx2 avx512f ssse3
"""


class Worker:
    """Has stages."""

    def outer(self) -> int:
        """Call another stage."""
        return self.inner() + 1

    def inner(self) -> int:
        """Take some time."""
        time.sleep(0.001)
        return 1


def test_a_stage_within_a_stage_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([Spent(float(s), s / 2) for s in (0, 1, 8, 10)])
    monkeypatch.setattr("lab.bench.clock.now", lambda: next(times))
    clock = Clock()
    with clock.lap("outer"), clock.lap("inner"):
        pass
    assert clock.laps == {"outer": Spent(3.0, 1.5), "inner": Spent(7.0, 3.5)}


def test_functions_are_timed_while_they_are_watched() -> None:
    clock = Clock()
    where = f"{__name__}:Worker"
    before = Worker.outer
    with clock.watching({f"{where}.outer": "outer", f"{where}.inner": "inner"}):
        assert Worker().outer() == 2
    assert set(clock.laps) == {"outer", "inner"} and Worker.outer is before
    assert clock.laps["inner"].wall_s > 0
    Worker().inner()
    assert len(clock.laps) == 2


def test_stages_of_several_threads_take_turns() -> None:
    clock, inside, most = Clock(), 0, 0

    def work() -> None:
        nonlocal inside, most
        with clock.lap("stage"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.002)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and clock.laps["stage"].wall_s >= 0.008


@pytest.mark.parametrize("where", STAGES)
def test_every_stage_that_is_timed_is_there(where: str) -> None:
    owner, name = located(where)
    assert callable(getattr(owner, name))


def test_forward_passes_are_made_again_with_the_same_shapes() -> None:
    seen: list[tuple[tuple[int, ...], torch.dtype]] = []

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(3, 2)

        def forward(self, pixels: torch.Tensor, *, scale: float) -> torch.Tensor:
            seen.append((tuple(pixels.shape), pixels.dtype))
            found: torch.Tensor = self.inner(pixels) * scale
            return found

    network, forwards = Network(), Forwards()
    with forwards.watching(), torch.inference_mode():
        network(torch.ones(5, 3), scale=2.0)
        network(torch.ones(4, 3), scale=2.0)
    assert len(forwards.calls) == 2  # the layer within is the network's own
    spent = forwards.replay()
    assert spent.wall_s > 0
    shapes = [shape for shape, _ in seen]
    assert shapes == [(5, 3), (4, 3), (5, 3), (5, 3), (4, 3)]  # the first one once more, to warm up


def test_forward_passes_that_are_not_watched_are_not_noted() -> None:
    forwards = Forwards()
    with forwards.watching():
        pass
    torch.nn.Linear(2, 2)(torch.ones(1, 2))
    assert not forwards.calls and forwards.replay().wall_s >= 0


def test_every_place_that_asks_for_the_registers_is_answered() -> None:
    asking = b"\x31\xc9\x0f\x01\xd0\xa8\xe0"
    other = b"\xaa\x0f\x01\xd0"  # part of a number
    code, places = cap.capped(b"\x90" + asking + other + b"\x33\xc9\x0f\x01\xd0")
    assert places == 2 and len(code) == 1 + len(asking) + len(other) + 5
    assert code == b"\x90\x31\xc9\xb0\x07\x90\xa8\xe0" + other + b"\x33\xc9\xb0\x07\x90"


def test_a_library_that_asks_nothing_is_left_alone(tmp_path: Path) -> None:
    library = tmp_path / "library.so"
    library.write_bytes(b"nothing")
    assert cap.cap_library(library) == 0 and library.read_bytes() == b"nothing"


def test_a_capped_run_says_so(tmp_path: Path) -> None:
    assert cap.environment(cap.NONE, tmp_path) == {}
    assert cap.describe(cap.NONE, {}) == "not capped"
    env = cap.VARIABLES | {"PYTHONPATH": "copy"}
    said = cap.describe(cap.AVX2, env)
    assert "ONEDNN_MAX_CPU_ISA=AVX2" in said and "onnxruntime" in said


def test_a_cap_leaves_the_precision_to_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch takes float32 under it by itself; the network of 8 bits stays."""
    for name, value in cap.VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert resolve_precision("auto", CPU).name == "float32"
    assert cpu_precision("auto", MINI) == "int8"


def test_a_copy_of_the_engine_is_capped_where_there_is_one(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    env = cap.environment(cap.AVX2, tmp_path)
    assert env["PYTHONPATH"].split(":")[0] == str(tmp_path)
    assert list((tmp_path / "onnxruntime" / "capi").glob("*.so"))


def test_the_processor_is_named_as_linux_names_it() -> None:
    assert hardware.cpu_model(CPUINFO) == "Some Processor 3 GHz"
    assert hardware.instructions(CPUINFO) == ("avx2", "avx512f")
    assert hardware.instructions("") == () and hardware.cpu_model("") == ""
    assert hardware.machine().cores >= 1


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(ChildFailed, match="No module named"):
        run_child("lab.bench.not_there", {}, {})


def test_the_peak_of_a_process_that_is_gone_is_not_a_number() -> None:
    assert np.isnan(peak_mib(2**22 + 1))


def photo(name: str) -> Photo:
    """Return a photo with one box."""
    return Photo(Path(name), "coco256", 100, 100, (LabelledBox((0, 0, 50, 50), "cup"),))


def test_turns_share_the_photos() -> None:
    sample = Sample(SMALL, tuple(photo(str(n)) for n in range(5)))
    assert [[p.path.name for p in part] for part in parts(sample, 2)] == [
        ["0", "2", "4"],
        ["1", "3"],
    ]
    assert len(parts(Sample(SMALL, (photo("0"),)), 2)) == 1


@pytest.mark.parametrize("module", ["machine", "stack"])
def test_another_checkout_is_started_by_its_own_supervisor(tmp_path: Path, module: str) -> None:
    (tmp_path / module).mkdir()
    (tmp_path / module / "__main__.py").touch()
    assert command(tmp_path)[1:] == ["-m", module, "up"]


def test_a_checkout_without_the_setting_computes_in_float32_all_the_same(tmp_path: Path) -> None:
    settings = tmp_path / "common" / "settings.py"
    settings.parent.mkdir()
    settings.write_text("    device: str\n")
    capped = cap.VARIABLES | {"PYTHONPATH": "copy"}
    older = environment(tmp_path, capped)
    assert older["PYTHONPATH"] == os.pathsep.join([str(OLDER), "copy"])
    settings.write_text("    precision: str\n")
    assert environment(tmp_path, capped) == capped
    assert environment(tmp_path, {}) == {}


def test_what_runs_at_an_older_checkouts_start_changes_what_it_decides(tmp_path: Path) -> None:
    package = tmp_path / "worker" / "models"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "device.py").write_text(
        "class torch: float32 = 'float32'\ndef fast_dtype(device): return 'bfloat16'\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", "from worker.models.device import fast_dtype; print(fast_dtype(0))"],
        env={**os.environ, "PYTHONPATH": str(OLDER)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "float32"


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkout"):
        command(tmp_path)
