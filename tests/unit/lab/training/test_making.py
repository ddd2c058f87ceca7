"""The whole recipe on tiny photos: what it writes is what was trained, and goes on where it was."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.training.__main__ import main
from lab.training.banks.engine import Reader
from lab.training.making import Making
from tests.unit.lab.training.conftest import noise
from worker.models.kinds import KIND_SHARE
from worker.models.onepass.encoder import OnePassEncoder
from worker.models.onepass.onnx_engine import OnnxEngine, cpu_precision
from worker.models.onepass.torch_engine import TorchEngine


@pytest.fixture(scope="module")
def trained(made: Making) -> Making:
    made.things()
    made.kinds()
    made.detector()
    return made


@pytest.fixture(scope="module")
def pack(trained: Making, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    trained.export(folder)
    return folder


def test_the_service_reads_what_the_heads_were_taught(trained: Making, pack: Path) -> None:
    crop = noise(70, 60, 44)
    dims = (trained.recipes.sizes.thing, trained.recipes.sizes.kind)
    service = OnePassEncoder(OnnxEngine(pack, threads=1), name="made", dims=dims)
    found = torch.from_numpy(service.encode_images([crop])[0])
    features = Reader(trained.work / "backbone").crops([np.array(crop)])
    fine, deep, kind = (
        torch.from_numpy(part).float() for part in (features.fine, features.deep, features.kind)
    )
    with torch.inference_mode():
        thing = trained._things().average.eval()(fine, deep)[0]
    for said, whole, name, share in (
        (found[: dims[0]], thing, "things", 1 - KIND_SHARE),
        (found[dims[0] :], kind[0], "kinds", KIND_SHARE),
    ):
        expected = torch.nn.functional.normalize(trained._kept(name) @ whole, dim=0)
        assert said @ expected > 0.999 * share**0.5


def test_both_engines_say_the_same(pack: Path, trained: Making) -> None:
    pixels = np.array(noise(71, 96, 64))
    onnx = OnnxEngine(pack, threads=1).see(pixels)
    torchs = TorchEngine(pack, torch.device("cpu"), torch.float32).see(pixels)
    for name, maps in vars(onnx).items():
        expected = getattr(torchs, name)
        assert np.allclose(maps, expected, atol=2e-3 * np.abs(expected).max()), name


def test_the_pack_has_graphs_of_8_bits_that_say_nearly_the_same(pack: Path) -> None:
    exact, near = (
        OnnxEngine(pack, precision=name, threads=1)
        for name in ("float32", cpu_precision("auto", pack))
    )
    assert near.precision == "int8"
    pixels = np.array(noise(71, 96, 64))
    seen = [one.see(pixels) for one in (exact, near)]
    said = [
        {**vars(maps), "deep": one.deep(seen[0].sixteenth)}
        for one, maps in zip((exact, near), seen, strict=True)
    ]
    for name, expected in said[0].items():
        found = said[1][name]
        assert not np.array_equal(found, expected), name
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.95, name


def test_graphs_of_8_bits_are_made_again_of_the_weights_alone(
    pack: Path, archives: Path, tmp_path: Path
) -> None:
    graphs = ("see.int8.onnx", "deep.int8.onnx", "head.int8.onnx")
    again = Path(shutil.copytree(pack, tmp_path / "pack", ignore=shutil.ignore_patterns(*graphs)))
    places = ["--data", str(archives), "--teacher", str(tmp_path), "--out", str(again)]
    assert main(["int8", "--device", "cpu", *places]) == 0
    for name in graphs:
        assert (again / name).read_bytes() == (pack / name).read_bytes()


def test_steps_that_were_taken_are_not_taken_again(
    trained: Making, capsys: pytest.CaptureFixture[str]
) -> None:
    again = Making(trained.sources, trained.recipes, trained.work, trained.device, trained.dtype)
    state = trained.work / "things" / "state.pt"
    before = state.stat().st_mtime_ns
    again.bank()
    again.things()
    assert state.stat().st_mtime_ns == before
    assert f"{len(trained.regions)} regions, 3 canvases" in capsys.readouterr().out


def test_what_is_not_trained_is_not_exported(made: Making, tmp_path: Path) -> None:
    fresh = replace(made, work=tmp_path)
    with pytest.raises(ValueError, match="'things' has taken 0 of 3 steps: run `things` first"):
        fresh.export(tmp_path / "pack")


def test_what_is_missing_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--data", str(tmp_path), "--teacher", str(tmp_path), "--work", str(tmp_path)]
    assert main(["bank", "--device", "cpu", *places]) == 1
    assert "There are no .tar archives of training photos" in capsys.readouterr().err
