"""What the tests of the recipe share: tiny photos, and networks that have learnt nothing."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml  # type: ignore[import-untyped]
from PIL import Image
from safetensors.torch import save_file

from lab.training.backbone import _names
from lab.training.banks.canvases import CanvasRecipe
from lab.training.banks.regions import RegionRecipe
from lab.training.heads.detector import DetectorRecipe
from lab.training.heads.things import ThingRecipe
from lab.training.making import Making, Recipes, Sources
from tests.assets import CPU
from worker.models.onepass.heads import Sizes
from worker.models.onepass.network import Backbone
from worker.models.yolov5_import import import_yolov5

CATEGORIES = ("goldfinch", "magpie", "candle", "BACKGROUND_Google")
SIZES = Sizes(projected=8, context=4, hidden=16, thing=12, kind=8, large=8, small=8)
RECIPES = Recipes(
    regions=RegionRecipe(photos=6, regions=2),
    canvases=CanvasRecipe(canvases=3, side_px=128),
    things=replace(ThingRecipe(), steps=3, dim=16, photos=4),
    detector=replace(DetectorRecipe(), steps=3, canvases=2),
    sizes=SIZES,
)


def noise(seed: int, width: int = 100, height: int = 80) -> Image.Image:
    """Return a photo of blobs: noise, enlarged."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an archive of twelve photos of four categories, and what is none."""
    folder = tmp_path_factory.mktemp("archives")
    with tarfile.open(folder / "some.tar", "w") as tar:
        for n in range(12):
            with io.BytesIO() as file:
                noise(n).save(file, "PNG")
                _add(tar, f"{CATEGORIES[n % 4]}/{n:02d}.png", file.getvalue())
        _add(tar, "goldfinch/notes.txt", b"no photo")
        _add(tar, "goldfinch/broken.jpg", b"no photo either")
    return folder


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


@pytest.fixture(scope="session")
def backbone_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a `.pth` with names as published, and random weights that keep signals alive."""
    torch.manual_seed(5)
    tensors = {}
    for convolution, conv, norm in _names(Backbone()):
        kernel = convolution.conv.weight
        tensors[f"{conv}.weight"] = torch.randn_like(kernel) * kernel[0].numel() ** -0.5
        tensors[f"{norm}.weight"] = torch.rand(len(kernel)) + 1.0
        tensors[f"{norm}.bias"] = torch.rand(len(kernel))
        tensors[f"{norm}.running_mean"] = torch.randn(len(kernel)) * 0.1
        tensors[f"{norm}.running_var"] = torch.rand(len(kernel)) + 0.5
    path = tmp_path_factory.mktemp("backbone") / "untrained.pth"
    torch.save(tensors, path)
    return path


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return YOLOv5n that has learnt nothing, for squares of 128 px."""
    torch.manual_seed(3)
    package = import_yolov5()
    text = (Path(package.__file__).parent / "yolov5n.yaml").read_text("ascii", "ignore")
    architecture = yaml.safe_load(text)
    names = ["cup", "hen"]
    network = package.DetectionModel(architecture, ch=3, nc=len(names))
    path = tmp_path_factory.mktemp("teacher") / "untrained.safetensors"
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)
    facts = {"cfg": yaml.safe_load(text), "names": names, "side_px": 128}
    path.with_suffix(".json").write_text(json.dumps(facts))
    return path


@pytest.fixture(scope="session")
def sources(archives: Path, backbone_file: Path, teacher_file: Path) -> Sources:
    return Sources(archives, (teacher_file,), backbone=backbone_file)


@pytest.fixture(scope="session")
def made(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Making:
    """Return the recipe with its banks made."""
    making = Making(sources, RECIPES, tmp_path_factory.mktemp("work"), CPU, torch.float32)
    making.bank()
    return making
