"""The service with a pack of crops: what `standard` and checkpoints of one's own go through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from machine.stack import Stack
from machine.stack.network import readiness
from needle import Needle
from tests.assets import CROPS
from tests.conftest import free_port
from tests.end_to_end.conftest import write_scenes


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a service of its own with the pack of crops."""
    env = {"NEEDLE_MODELS": str(CROPS), "NEEDLE_REGIONS_PER_IMAGE": "30"}
    running = Stack(env, data_dir=tmp_path_factory.mktemp("crops"), port=free_port())
    with running:
        running.wait_ready(240)
        yield running


def test_it_indexes_and_finds(crops: Stack, tmp_path: Path) -> None:
    paths = write_scenes(tmp_path, range(300, 303))
    with Needle(crops.base_url) as needle:
        job = needle.wait(needle.index(paths), timeout_s=240)
        assert (job.status, job.progress.done) == ("succeeded", len(paths))
        with Image.open(paths[2]) as photo:
            photo.crop((320, 240, 640, 480)).save(tmp_path / "crop.png")
        found = needle.search(tmp_path / "crop.png")
        assert found.found and found.best is not None
        assert found.best.filename == paths[2].name
        plain = needle.search(tmp_path / "crop.png", verify=False)
        assert plain.best is not None and plain.best.filename == paths[2].name
    models = readiness(crops.base_url)["models"]
    assert (models["name"], models["has_kinds"]) == ("crops", False)
    assert models["detector"].startswith("yolov5:")
    assert models["encoder"].startswith("crops-encoder:")
