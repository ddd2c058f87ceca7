from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from common.errors import InvalidModel, ModelUnavailable
from tests.assets import CPU, DTYPES, REPO, one_torch_thread, shared_file, shared_photo
from worker.models import hub
from worker.models.checkpoint import Checkpoint, load_checkpoint
from worker.models.yolov5 import YoloV5Detector, load_yolov5
from worker.models.yolov5_boxes import Letterbox, decode, letterboxed
from worker.models.yolov5_import import import_yolov5
from worker.models.yolov5_network import STRIDES, build_network


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(shared_file("weights/yolov5n.pt"), tmp_path_factory.mktemp("cache"))


def changed(nano: Checkpoint, classes: int, anchor_factor: float = 1.0) -> Checkpoint:
    """Return the weights with the first classes only, as a custom training leaves them."""
    tensors = dict(nano.tensors)
    for level in range(3):
        for kind in ("weight", "bias"):
            name = f"model.24.m.{level}.{kind}"
            old = tensors[name]
            tensors[name] = old.view(3, 85, *old.shape[1:])[:, : 5 + classes].flatten(0, 1)
    tensors["model.24.anchors"] = tensors["model.24.anchors"] * anchor_factor
    return Checkpoint(tensors, nano.architecture, tuple(f"thing {i}" for i in range(classes)))


def labels(detector: YoloV5Detector, image: Image.Image, threshold: float = 0.3) -> list[str]:
    return [d.label for d in detector.detect([image], confidence_threshold=threshold)[0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_cat_bird_bus_and_people_are_found(nano: Checkpoint, dtype: torch.dtype) -> None:
    detector = YoloV5Detector(nano, CPU, dtype=dtype)
    assert {"cat", "bird"} <= set(labels(detector, shared_photo("cat-bird.jpeg")))
    found = labels(detector, shared_photo("bus.jpg"))
    assert "bus" in found
    assert found.count("person") >= 3


def test_boxes_are_in_pixels_of_the_image(nano: Checkpoint) -> None:
    image = shared_photo("bus.jpg")
    detector = YoloV5Detector(nano, CPU)
    small = detector.detect([image], confidence_threshold=0.5)[0]
    large = detector.detect([image.resize((1620, 2160))], confidence_threshold=0.5)[0]
    bus = [next(d for d in found if d.label == "bus") for found in (small, large)]
    corners = np.array([[d.x1, d.y1, d.x2, d.y2] for d in bus])
    np.testing.assert_allclose(corners[0] * 2, corners[1], atol=40)


def test_custom_classes_and_names_work(nano: Checkpoint) -> None:
    detector = YoloV5Detector(changed(nano, classes=3), CPU)
    assert set(labels(detector, shared_photo("bus.jpg"))) == {"thing 0"}
    assert detector.id != YoloV5Detector(nano, CPU).id


def test_custom_anchors_come_from_the_tensors(nano: Checkpoint) -> None:
    usual, larger = (build_network(changed(nano, 3, factor))[1] for factor in (1, 2))
    assert usual.tolist()[0][0] == [10, 13]
    torch.testing.assert_close(larger, usual * 2)


def test_decoding_equals_the_package(nano: Checkpoint) -> None:
    network, anchors = build_network(nano)
    pixels, _ = letterboxed([shared_photo("bus.jpg")])
    reference = import_yolov5().DetectionModel(
        str(Path(import_yolov5().__file__).parent / "yolov5n.yaml")
    )
    reference.load_state_dict({k: t.float() if t.is_floating_point() else t
                               for k, t in nano.tensors.items()})  # fmt: skip
    with torch.inference_mode():
        maps = network(pixels.float() / 255)
        expected = reference.eval()(pixels.float() / 255)[0][0]
    found = decode(maps, anchors, STRIDES, 0.3)
    confidence = expected[:, 4:5] * expected[:, 5:]
    best, label = confidence.max(1)
    rows = best >= 0.3
    centre, half = expected[rows, :2], expected[rows, 2:4] / 2
    assert found.label.tolist() == label[rows].tolist()
    torch.testing.assert_close(found.confidence, best[rows], atol=1e-4, rtol=0)
    corners = torch.cat((centre - half, centre + half), 1)
    torch.testing.assert_close(found.corners, corners, atol=0.05, rtol=0)


@pytest.mark.parametrize("size", [(640, 480), (3, 2000), (2000, 1), (1, 1), (641, 639)])
def test_a_letterbox_maps_back_to_the_image(size: tuple[int, int]) -> None:
    pixels, (box,) = letterboxed([Image.new("RGB", size, (1, 2, 3))])
    assert pixels.shape == (1, 3, 640, 640)
    assert (pixels[0, 0] == 1).sum() == box.inner_width * box.inner_height
    inner = torch.tensor(
        [[box.left, box.top, box.left + box.inner_width, box.top + box.inner_height]]
    )
    torch.testing.assert_close(box.to_image(inner.float()), torch.tensor([[0.0, 0.0, *size]]))
    outside = Letterbox.of(*size).to_image(torch.tensor([[-900.0, -900.0, 9e5, 9e5]]))
    assert outside.tolist() == [[0, 0, *size]]


def test_other_architectures_are_refused(nano: Checkpoint) -> None:
    for change in ({"width_multiple": 0.3}, {"activation": "__import__('os').abort()"}):
        odd = Checkpoint(nano.tensors, {**nano.architecture, **change}, nano.names)
        with pytest.raises(InvalidModel, match="not of a supported architecture"):
            build_network(odd)
    with pytest.raises(InvalidModel, match="do not fit"):
        build_network(Checkpoint(nano.tensors, nano.architecture, nano.names[:5]))
    with pytest.raises(InvalidModel, match="no anchors"):
        build_network(Checkpoint({}, nano.architecture, nano.names))


def test_a_named_size_is_found_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    shutil.copy(shared_file("weights/yolov5n.pt"), tmp_path / "weights")
    detector = load_yolov5("n", CPU, data_dir=tmp_path)
    assert detector.id.startswith("yolov5:")
    assert len(detector.id) == len("yolov5:") + 12


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    tensors = load_file(shared_file("weights/yolov5n.safetensors"))
    del tensors["model.0.conv.weight"]
    save_file(tensors, tmp_path / "mine.safetensors")
    facts = json.loads(shared_file("weights/yolov5n.json").read_text())
    (tmp_path / "mine.json").write_text(json.dumps(facts))
    with pytest.raises(InvalidModel, match=r"mine\.safetensors: The weights do not fit"):
        load_yolov5(str(tmp_path / "mine.safetensors"), CPU, data_dir=tmp_path)


def test_a_failed_download_names_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "HfApi", _NoNetwork)
    with pytest.raises(ModelUnavailable) as raised:
        load_yolov5("s", CPU, data_dir=tmp_path)
    for hint in (str(tmp_path / "weights" / "yolov5s.pt"), "NEEDLE_DETECTOR", "NEEDLE_MODELS=mini"):
        assert hint in raised.value.message


class _NoNetwork:
    def model_info(self, repo: str, timeout: float) -> None:
        assert timeout <= 10
        raise OSError("no route to host")


_IMPORT = """
import logging, os, sys, threading, warnings
import cv2, numpy, torch
def state():
    return (dict(os.environ), list(sys.path), list(warnings.filters), numpy.get_printoptions(),
            cv2.getNumThreads(), list(logging.getLogger("yolov5").handlers))
from worker.models.yolov5_import import import_yolov5
before = state()
got = []
threads = [threading.Thread(target=lambda: got.append(import_yolov5())) for _ in range(3)]
[t.start() for t in threads]; [t.join() for t in threads]
assert len(got) == 3 and len(set(map(id, got))) == 1, got
assert state() == before
left = {"pandas", "ultralytics", "matplotlib", "seaborn", "pkg_resources", "models", "utils"}
assert not left & {name.split(".")[0] for name in sys.modules}
"""


def test_importing_yolov5_changes_nothing_else(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPO), "HOME": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", _IMPORT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir()), "the package made folders in the home directory"


def test_importing_again_is_free_and_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert import_yolov5() is import_yolov5()
    assert logging.getLogger("yolov5").propagate
    assert cv2.getNumThreads() >= 1
