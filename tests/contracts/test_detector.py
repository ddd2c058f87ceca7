"""What every Detector keeps, the fake as well as the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tests.assets import CPU, CROP_DETECTOR, MINI, PRECISION, one_torch_thread, shared_file
from tests.fakes import FixedDetector
from worker.models.base import Detection, Detector
from worker.models.dense import MapsDetector
from worker.models.onepass.loading import load_onepass
from worker.models.yolov5 import load_yolov5


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield


@pytest.fixture(scope="module", params=["fake", "yolov5", "own yolov5", "one pass"])
def detector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    if request.param == "fake":
        return FixedDetector(
            [
                Detection(2, 3, 30, 40, "cat", 0.2),
                Detection(0, 0, 50, 50, "bus", 0.75),
                Detection(9, 9, 20, 20, "bird", 0.75),
            ]
        )
    if request.param == "one pass":
        return MapsDetector(load_onepass(MINI, device="cpu", threads=1), 300_000)
    own = request.param == "own yolov5"
    weights = CROP_DETECTOR if own else shared_file("weights/yolov5n.safetensors")
    data: Path = tmp_path_factory.mktemp("data")
    return load_yolov5(str(weights), CPU, data_dir=data, batch_size=2, dtype=PRECISION.dtype)


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    bus = Image.open(shared_file("data/demo/bus.jpg")).convert("RGB")
    return [bus, bus.crop((0, 300, 400, 1000)), bus.resize((200, 90))]


def test_there_is_a_list_for_each_image_and_none_for_none(detector, images) -> None:
    assert detector.detect([], confidence_threshold=0.1) == []
    assert len(detector.detect(images, confidence_threshold=0.1)) == len(images)


def test_the_most_confident_come_first(detector, images) -> None:
    for found in detector.detect(images, confidence_threshold=0.05):
        scores = [d.confidence for d in found]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


def test_boxes_are_not_empty_and_lie_within_the_image(detector, images) -> None:
    for image, found in zip(
        images, detector.detect(images, confidence_threshold=0.05), strict=True
    ):
        for d in found:
            assert 0 <= d.x1 < d.x2 <= image.width
            assert 0 <= d.y1 < d.y2 <= image.height
            assert d.label


def test_the_threshold_itself_is_included(detector, images) -> None:
    everything = detector.detect(images[:1], confidence_threshold=0.05)[0]
    middle = everything[len(everything) // 2].confidence
    found = detector.detect(images[:1], confidence_threshold=middle)[0]
    assert found == [d for d in everything if d.confidence >= middle]
    assert found[-1].confidence == middle


def test_an_image_does_not_depend_on_its_neighbours(detector, images) -> None:
    together = detector.detect(images, confidence_threshold=0.1)
    alone = [detector.detect([image], confidence_threshold=0.1)[0] for image in images]
    assert together == alone


def test_threads_get_the_same_answers(detector, images) -> None:
    expected = detector.detect(images, confidence_threshold=0.1)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(detector.detect, images, confidence_threshold=0.1) for _ in range(4)]
        assert all(job.result() == expected for job in jobs)


def test_the_id_names_it(detector) -> None:
    assert isinstance(detector.id, str)
    assert detector.id
