"""The network that ships: seen in parts, read off for boxes, on two engines, without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from common.errors import DeviceUnavailable, InvalidModel, TextNotSupported
from common.geometry import Box
from tests.assets import CPU, MINI, REPO, one_torch_thread
from tests.end_to_end.conftest import scene
from worker.models.kinds import KIND_SHARE
from worker.models.onepass import scales
from worker.models.onepass.encoder import OnePassEncoder
from worker.models.onepass.loading import load_onepass
from worker.models.onepass.onnx_engine import OnnxEngine
from worker.models.onepass.scales import Scale

PIXELS = 300_000
SIZES = json.loads((MINI / "network.json").read_text())["sizes"]
THING, KIND = SIZES["thing"], SIZES["kind"]
FIELD_PX = 240
"""What a cell of the maps up to stride 16, and of the detector's, sees to either side."""


@pytest.fixture(scope="module")
def encoder() -> OnePassEncoder:
    return load_onepass(MINI, device="cpu", threads=1)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return scene(7)


def grid(width: int, height: int, columns: int, rows: int) -> list[Box]:
    """Return the tiles of a grid over an image."""
    return [
        Box(
            width * column // columns,
            height * row // rows,
            width * (column + 1) // columns,
            height * (row + 1) // rows,
        )
        for row in range(rows)
        for column in range(columns)
    ]


def test_what_is_seen_in_parts_is_what_is_seen_as_a_whole(
    encoder: OnePassEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly so where no part's edge is in view; near an edge the parts' halo leaves little."""
    pixels = cv2.resize(np.asarray(scene(3)), (1280, 256), interpolation=cv2.INTER_CUBIC)
    scale = Scale(1280, 256, 1.0, 1.0)
    whole = encoder.engine.see(pixels)
    monkeypatch.setattr(scales, "TILE_PIXELS", 230_000)
    spans = [across for _, across in scales.parts(scale)]
    assert [span.kept for span in spans] == [(0, 640), (640, 1280)]
    stitched = encoder._see(pixels, scale)
    for name, cell in (("things", 8), ("sixteenth", 16), ("large", 16), ("small", 8)):
        expected, found = getattr(whole, name), getattr(stitched, name)
        assert expected.shape == found.shape == (len(found), 256 // cell, 1280 // cell)
        off = np.abs(found - expected) / np.abs(expected).max()
        away = np.abs(np.arange(1280 // cell) * cell + cell / 2 - 640) > FIELD_PX
        assert off[:, :, away].max() < 1e-4, name
        assert off.mean() < 0.01, name


def test_embeddings_have_norm_1_and_two_parts_of_known_lengths(
    encoder: OnePassEncoder, photo: Image.Image
) -> None:
    assert (encoder.dim, encoder.kind_dim) == (THING + KIND, KIND)
    boxes = [*grid(640, 480, 3, 2), Box(0, 0, 640, 480), Box(5, 5, 9, 400), Box(-30, 400, 90, 700)]
    read = encoder.maps(photo, pixels=PIXELS).embeddings(boxes)
    made = encoder.encode_images([photo, Image.new("RGB", (1, 1)), photo.crop((3, 3, 40, 400))])
    for embeddings, count in ((read, len(boxes)), (made, 3)):
        assert embeddings.dtype == np.float32 and embeddings.shape == (count, encoder.dim)
        lengths = np.stack([(part**2).sum(1) for part in np.split(embeddings, [THING], axis=1)])
        assert lengths[0] == pytest.approx(np.full(count, 1 - KIND_SHARE), abs=1e-4)
        assert lengths[1] == pytest.approx(np.full(count, KIND_SHARE), abs=1e-4)


def test_no_boxes_have_no_embeddings(encoder: OnePassEncoder, photo: Image.Image) -> None:
    none = encoder.maps(photo, pixels=PIXELS).embeddings([])
    assert none.shape == (0, encoder.dim) and none.dtype == np.float32


def test_a_box_has_one_embedding_whatever_is_asked_beside_it(
    encoder: OnePassEncoder, photo: Image.Image
) -> None:
    maps = encoder.maps(photo, pixels=PIXELS)
    boxes = [Box(0, 0, 640, 480), *grid(640, 480, 8, 6)[:9], Box(100, 100, 400, 300)]
    together = maps.embeddings(boxes)
    alone = np.concatenate([maps.embeddings([box]) for box in boxes])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(("columns", "rows"), [(2, 2), (4, 3), (8, 6)])
def test_a_crop_embeds_near_its_region(
    encoder: OnePassEncoder, photo: Image.Image, columns: int, rows: int
) -> None:
    boxes = grid(640, 480, columns, rows)
    regions = encoder.maps(photo, pixels=4 * PIXELS).embeddings(boxes)
    crops = encoder.encode_images([photo.crop(box.as_tuple()) for box in boxes])
    scores = crops[:, :THING] @ regions[:, :THING].T / (1 - KIND_SHARE)
    own = np.diag(scores)
    assert np.mean(own) > 0.85
    assert (own >= scores.max(axis=1) - 1e-6).mean() >= 0.9


def test_the_kind_of_a_crop_is_read_at_the_scale_of_its_regions(
    encoder: OnePassEncoder, photo: Image.Image
) -> None:
    boxes = grid(640, 480, 2, 2)
    regions = encoder.maps(photo, pixels=4 * PIXELS).embeddings(boxes)
    crops = encoder.encode_images([photo.crop(box.as_tuple()) for box in boxes])
    alike = (crops[:, THING:] * regions[:, THING:]).sum(axis=1) / KIND_SHARE
    # At the scale of things it is 0.62.
    assert alike.mean() > 0.75


def test_detections_lie_within_the_image_the_most_confident_first(
    encoder: OnePassEncoder, photo: Image.Image
) -> None:
    found = encoder.maps(photo, pixels=PIXELS).detections(confidence_threshold=0.02)
    assert [d.confidence for d in found] == sorted((d.confidence for d in found), reverse=True)
    for d in found:
        assert 0 <= d.x1 < d.x2 <= photo.width and 0 <= d.y1 < d.y2 <= photo.height
        assert 0.02 <= d.confidence <= 1 and d.label == "object"


def test_it_knows_no_words(encoder: OnePassEncoder) -> None:
    assert not encoder.has_text
    with pytest.raises(TextNotSupported, match="NEEDLE_MODELS=standard"):
        encoder.encode_texts(["a mug"])


def test_both_engines_give_the_same_maps_and_embeddings(photo: Image.Image) -> None:
    """A CPU runs ONNX Runtime and a GPU torch: here both on the CPU, in float32."""
    import torch

    from worker.models.onepass.torch_engine import TorchEngine

    with one_torch_thread():
        engines = [OnnxEngine(MINI, threads=1), TorchEngine(MINI, CPU, torch.float32)]
        one, other = (OnePassEncoder(e, name="x", dims=(THING, KIND)) for e in engines)
        boxes = [Box(0, 0, 640, 480), *grid(640, 480, 4, 3)]
        read = [own.maps(photo, pixels=PIXELS) for own in (one, other)]
        pairs = [
            [maps.embeddings(boxes) for maps in read],
            [own.encode_images([photo, photo.crop((9, 9, 60, 80))]) for own in (one, other)],
        ]
    for first, second in pairs:
        assert (first * second).sum(axis=1).min() > 0.99999
        assert np.abs(first - second).max() < 1e-3
    first, second = (maps.candidates for maps in read)
    strong = [found.confidences > 0.05 for found in (first, second)]
    assert np.sort(first.confidences[strong[0]]) == pytest.approx(
        np.sort(second.confidences[strong[1]]), abs=1e-3
    )


@pytest.mark.parametrize(
    ("missing", "precision"),
    [
        ("see.int8.onnx", "auto"),
        ("deep.int8.onnx", "auto"),
        ("see.onnx", "float32"),
        ("head.onnx", "float32"),
        ("context.onnx", "auto"),
        ("kinds.onnx", "auto"),
        ("network.safetensors", "auto"),
    ],
)
def test_a_folder_with_a_part_missing_is_refused(
    tmp_path: Path, missing: str, precision: str
) -> None:
    folder = Path(shutil.copytree(MINI, tmp_path / "net"))
    (folder / missing).unlink()
    with pytest.raises((InvalidModel, FileNotFoundError)) as caught:
        load_onepass(folder, device="cpu", precision=precision)
    assert isinstance(caught.value, InvalidModel), "a sentence, not a stranger's error"
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("broken", ["deep.int8.onnx", "kinds.onnx", "network.safetensors"])
def test_a_folder_with_a_broken_part_is_refused(tmp_path: Path, broken: str) -> None:
    folder = Path(shutil.copytree(MINI, tmp_path / "net"))
    (folder / broken).write_bytes((folder / broken).read_bytes()[:1000])
    with pytest.raises(InvalidModel, match=r"The network in .*net cannot be loaded"):
        load_onepass(folder, device="cpu")


@pytest.mark.parametrize("facts", ["{", "[]", "{}", '{"name": "x", "sizes": {"thing": 256}}'])
def test_a_network_that_is_not_described_is_refused(tmp_path: Path, facts: str) -> None:
    folder = Path(shutil.copytree(MINI, tmp_path / "net"))
    (folder / "network.json").write_text(facts)
    with pytest.raises(InvalidModel, match=r"network\.json does not describe a network"):
        load_onepass(folder, device="cpu")


def test_torchs_engine_refuses_a_broken_folder_too(tmp_path: Path) -> None:
    import torch

    from worker.models.onepass.torch_engine import TorchEngine

    folder = Path(shutil.copytree(MINI, tmp_path / "net"))
    (folder / "network.safetensors").write_bytes(b"none")
    with pytest.raises(InvalidModel, match=r"The network in .*net cannot be loaded"):
        TorchEngine(folder, CPU, torch.float32)


def test_a_gpu_that_is_asked_for_and_not_there_is_refused() -> None:
    with pytest.raises(DeviceUnavailable, match="NEEDLE_DEVICE"):
        load_onepass(MINI, device="cuda:99")


_SEE = """
import sys
from PIL import Image
from common.settings import Settings
from worker.models.packs import load_detector, load_pack
settings = Settings(device="cpu", threads=1)
encoder = load_pack(settings).encoder
image = Image.new("RGB", (200, 150), "teal")
encoder.encode_images([image])
load_detector(settings, encoder).detect([image], confidence_threshold=0.5)
print([name for name in ("torch", "torchvision", "transformers", "yolov5") if name in sys.modules])
"""


def test_nothing_of_it_imports_torch() -> None:
    command = [sys.executable, "-W", "error", "-c", _SEE]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
