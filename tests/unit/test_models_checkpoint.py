from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from common.errors import InvalidModel
from tests.assets import CROP_DETECTOR, shared_file
from worker.models.checkpoint import load_checkpoint


class _Runs:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch):
    """Return a maker of objects that pickle as YOLOv5's network class."""
    module = ModuleType("models.yolo")
    made = type("DetectionModel", (), {"__module__": "models.yolo"})
    module.DetectionModel = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "models", ModuleType("models"))
    monkeypatch.setitem(sys.modules, "models.yolo", module)

    def make(**attributes):
        it = made()
        it.__dict__.update(
            {"_parameters": {}, "_buffers": {}, "_modules": {}, "names": ["nut"], "yaml": {}}
            | attributes
        )
        return it

    return make


def test_a_pickle_and_its_conversion_are_the_same_weights(tmp_path: Path) -> None:
    pickled = load_checkpoint(shared_file("weights/yolov5n.pt"), tmp_path)
    ready = load_checkpoint(shared_file("weights/yolov5n.safetensors"), tmp_path)
    assert pickled.names == ready.names
    assert pickled.names[15] == "cat"
    assert pickled.architecture.items() <= ready.architecture.items()
    assert pickled.tensors.keys() == ready.tensors.keys()
    assert all(torch.equal(pickled.tensors[k], ready.tensors[k]) for k in ready.tensors)
    assert pickled.sha256 == ready.sha256


def test_a_pickle_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = shared_file("weights/yolov5n.pt")
    first = load_checkpoint(weights, tmp_path)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".safetensors"]
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("unpickled again"))
    assert load_checkpoint(weights, tmp_path).sha256 == first.sha256


def test_a_broken_conversion_is_made_again(tmp_path: Path) -> None:
    weights = shared_file("weights/yolov5n.pt")
    first = load_checkpoint(weights, tmp_path)
    next(tmp_path.glob("*.safetensors")).write_bytes(b"half")
    assert load_checkpoint(weights, tmp_path).sha256 == first.sha256
    assert next(tmp_path.glob("*.safetensors")).stat().st_size > 1_000_000


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        load_checkpoint(shared_file("weights/yolov5n.pt"), blocked / "cache")
    assert "cannot keep the converted weights" in caplog.text


def test_several_may_convert_at_once(tmp_path: Path) -> None:
    weights = shared_file("weights/yolov5n.pt")
    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(load_checkpoint, weights, tmp_path) for _ in range(4)]
        assert len({job.result().sha256 for job in made}) == 1
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".safetensors"]


def test_nothing_in_a_pickle_is_run(tmp_path: Path, layer) -> None:
    proof = tmp_path / "it-ran"
    weights = tmp_path / "evil.pt"
    for content in ({"model": _Runs(proof)}, {"model": layer(hook=_Runs(proof))}):
        torch.save(content, weights)
        with pytest.raises(InvalidModel, match=r"evil\.pt is refused.*asks for posix\.system"):
            load_checkpoint(weights, tmp_path / "cache")
    weights.write_bytes(pickle.dumps(_Runs(proof)))
    with pytest.raises(InvalidModel, match="is refused"):
        load_checkpoint(weights, tmp_path / "cache")
    assert not proof.exists()


def test_an_unknown_class_is_refused_by_name(tmp_path: Path) -> None:
    torch.save({"model": SimpleNamespace(a=1)}, tmp_path / "other.pt")
    with pytest.raises(InvalidModel, match=r"types\.SimpleNamespace"):
        load_checkpoint(tmp_path / "other.pt", tmp_path)


@pytest.fixture(params=["this Python", "Python 3.13"])
def folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object:
    """Return what pickles as a path does, here and in 3.13, which names it in another module."""
    if request.param == "this Python":
        return Path("runs")
    module = ModuleType("pathlib._local")
    module.PosixPath = type("PosixPath", (), {"__module__": module.__name__})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.PosixPath()


def test_a_training_run_that_was_not_stripped_can_be_read(
    tmp_path: Path, layer, folder: object
) -> None:
    network = layer(_parameters={"weight": torch.ones(2)}, names={0: "bolt", 1: "nut"})
    content = {
        "epoch": 3,
        "best_fitness": np.array([0.5]),
        "fitness": np.float64(0.5),
        "model": layer(),
        "ema": network,
        "opt": {"save_dir": folder},
    }
    torch.save(content, tmp_path / "last.pt")
    checkpoint = load_checkpoint(tmp_path / "last.pt", tmp_path)
    assert checkpoint.names == ("bolt", "nut")
    assert checkpoint.tensors.keys() == {"weight"}


def test_a_network_that_contains_itself_is_refused(tmp_path: Path, layer) -> None:
    network = layer()
    network._modules["again"] = network
    torch.save({"model": network}, tmp_path / "loop.pt")
    with pytest.raises(InvalidModel, match="something other than a network layer"):
        load_checkpoint(tmp_path / "loop.pt", tmp_path)


@pytest.mark.parametrize(
    "attributes",
    [
        {"names": None},
        {"names": [1, 2]},
        {"names": {5: "nut"}},
        {"yaml": "a: 1"},
        {"_modules": {"child": "text"}},
        {"_parameters": None},
        {"_parameters": {"weight": torch.tensor([float("nan")])}},
    ],
    ids=lambda a: "-".join(a),
)
def test_a_network_of_odd_parts_is_refused(tmp_path: Path, layer, attributes) -> None:
    torch.save({"model": layer(**attributes)}, tmp_path / "odd.pt")
    with pytest.raises(InvalidModel, match=r"odd\.pt"):
        load_checkpoint(tmp_path / "odd.pt", tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x80\x04garbage", b"text"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_broken_weights_are_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    weights = tmp_path / f"broken{suffix}"
    weights.write_bytes(content)
    weights.with_suffix(".json").write_text('{"cfg": {}, "names": ["nut"]}')
    with pytest.raises(InvalidModel, match="broken"):
        load_checkpoint(weights, tmp_path / "cache")


@pytest.mark.parametrize("facts", ["", "[]", "{}", '{"cfg": {}, "names": []}'])
def test_broken_facts_are_refused(tmp_path: Path, facts: str) -> None:
    shutil.copy(shared_file("weights/yolov5n.safetensors"), tmp_path / "n.safetensors")
    (tmp_path / "n.json").write_text(facts)
    with pytest.raises(InvalidModel, match=r"n\.json is broken"):
        load_checkpoint(tmp_path / "n.safetensors", tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"no YOLOv5 weights at .*nowhere\.pt"):
        load_checkpoint(tmp_path / "nowhere.pt", tmp_path)
    shutil.copy(shared_file("weights/yolov5n.safetensors"), tmp_path / "n.safetensors")
    with pytest.raises(InvalidModel, match=r"needs n\.json beside it"):
        load_checkpoint(tmp_path / "n.safetensors", tmp_path)
    (tmp_path / "n.onnx").write_text(json.dumps({}))
    with pytest.raises(InvalidModel, match=r"neither \.pt nor \.safetensors"):
        load_checkpoint(tmp_path / "n.onnx", tmp_path)


def crops_with(tmp_path: Path, **facts: object) -> Path:
    """Return a detector with other facts beside its weights."""
    weights = tmp_path / "d.safetensors"
    shutil.copy(CROP_DETECTOR, weights)
    known = json.loads(CROP_DETECTOR.with_suffix(".json").read_text())
    weights.with_suffix(".json").write_text(json.dumps(known | facts))
    return weights


def test_weights_say_in_which_square_they_see(tmp_path: Path) -> None:
    small = load_checkpoint(crops_with(tmp_path, side_px=320), tmp_path)
    large = load_checkpoint(crops_with(tmp_path, side_px=640), tmp_path)
    assert (small.side_px, large.side_px) == (320, 640)
    assert small.sha256 != large.sha256


@pytest.mark.parametrize("side", [0, 100, "320", 32_000, None])
def test_a_square_that_no_network_sees_is_refused(tmp_path: Path, side: object) -> None:
    with pytest.raises(InvalidModel, match="side_px"):
        load_checkpoint(crops_with(tmp_path, side_px=side), tmp_path)
