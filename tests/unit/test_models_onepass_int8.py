"""The network in 8 bits: as near to float32 as is promised, chosen where it should be."""

from __future__ import annotations

import logging
import random
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from common.errors import InvalidModel, InvalidSettings
from common.geometry import Box
from common.settings import Settings
from tests.assets import CPU, CROPS, MINI
from tests.end_to_end.conftest import scene
from tests.textures import texture
from worker.models.onepass.encoder import OnePassEncoder
from worker.models.onepass.loading import load_onepass
from worker.models.packs import load_pack
from worker.models.precision import resolve_precision

PIXELS = 400_000
SIDES = (16, 24, 40, 64, 100, 160, 240)
LEAST_COSINE = 0.99
"""Of any embedding in 8 bits with that in float32, where there is texture, as in photos."""
DRAWN_COSINE, FLAT_COSINE = 0.99, 0.94
"""Of a drawing's, on average, and of a single colour's: there nothing evens out the rounding."""
INT8_GRAPHS = ("see.int8.onnx", "deep.int8.onnx", "head.int8.onnx")


@pytest.fixture(scope="module")
def pair() -> tuple[OnePassEncoder, OnePassEncoder]:
    made = [
        load_onepass(MINI, device="cpu", precision=name, threads=1) for name in ("float32", "int8")
    ]
    return made[0], made[1]


def boxes_of_many_sizes(image: Image.Image, seed: int) -> list[Box]:
    """Return squares of each size at places of their own, some oblong boxes, and the whole."""
    rng = random.Random(seed)
    found = [Box(0, 0, *image.size)]
    for side in SIDES * 4:
        width, height = (min(round(side * rng.uniform(0.7, 1.4)), most) for most in image.size)
        x, y = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
        found.append(Box(x, y, x + width, y + height))
    return found


def cosines(
    pair: tuple[OnePassEncoder, OnePassEncoder], picture: Image.Image
) -> list[NDArray[np.float32]]:
    """Return what both have in common: of regions read off the picture, and of crops of it."""
    boxes = boxes_of_many_sizes(picture, 3)
    crops = [picture.crop(box.as_tuple()) for box in boxes[::3]]
    regions = [one.maps(picture, pixels=PIXELS).embeddings(boxes) for one in pair]
    queries = [one.encode_images(crops) for one in pair]
    return [(exact * near).sum(axis=1) for exact, near in (regions, queries)]


@pytest.mark.parametrize("picture", [texture(1, (640, 480)), texture(2), texture(3, (900, 300))])
def test_8_bits_embed_texture_as_float32_does(
    pair: tuple[OnePassEncoder, OnePassEncoder], picture: Image.Image
) -> None:
    for each in cosines(pair, picture):
        assert each.min() > LEAST_COSINE


def test_8_bits_embed_a_drawing_nearly_as_float32_does(
    pair: tuple[OnePassEncoder, OnePassEncoder],
) -> None:
    for each in cosines(pair, scene(5)):
        assert each.mean() > DRAWN_COSINE


@pytest.mark.parametrize("colour", ["white", "black", "crimson", "steelblue"])
def test_8_bits_embed_a_flat_picture_less_nearly(
    pair: tuple[OnePassEncoder, OnePassEncoder], colour: str
) -> None:
    flat = Image.new("RGB", (200, 160), colour)
    exact, near = (one.encode_images([flat])[0] for one in pair)
    assert exact @ near > FLAT_COSINE


def test_8_bits_find_the_things_that_float32_finds(
    pair: tuple[OnePassEncoder, OnePassEncoder],
) -> None:
    exact, near = (one.maps(scene(5), pixels=PIXELS).candidates for one in pair)
    strong = [found.confidences[found.confidences > 0.1] for found in (exact, near)]
    assert len(strong[1]) == pytest.approx(len(strong[0]), rel=0.1)
    assert np.sort(strong[0])[-5:] == pytest.approx(np.sort(strong[1])[-5:], abs=0.05)


def test_a_collection_of_one_precision_may_be_searched_in_another(
    pair: tuple[OnePassEncoder, OnePassEncoder],
) -> None:
    assert pair[0].id == pair[1].id
    assert [one.engine.precision for one in pair] == ["float32", "int8"]


@pytest.mark.parametrize(
    ("requested", "precision"),
    [("auto", "int8"), ("int8", "int8"), ("float32", "float32"), ("bfloat16", "float32")],
)
def test_a_cpu_takes_8_bits_unless_it_is_asked_for_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, requested: str, precision: str
) -> None:
    asked = Settings.from_env(
        {
            "NEEDLE_PRECISION": requested,
            "NEEDLE_DEVICE": "cpu",
            "NEEDLE_THREADS": "1",
            "NEEDLE_DATA_DIR": str(tmp_path),
        }
    )
    with caplog.at_level(logging.INFO, "worker.models.onepass.loading"):
        pack = load_pack(asked)
    assert pack.describe()["precision"] == precision
    assert caplog.messages == [f"the network {pack.encoder.id} runs on cpu in {precision}"]


def test_a_pack_without_graphs_of_8_bits_computes_in_float32(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(MINI, tmp_path / "net"))
    for name in INT8_GRAPHS:
        (folder / name).unlink()
    assert load_onepass(folder, device="cpu", threads=1).engine.precision == "float32"
    with pytest.raises(InvalidModel, match=r"see\.int8\.onnx"):
        load_onepass(folder, device="cpu", precision="int8")


def test_8_bits_are_refused_where_torch_runs_the_network(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="PyTorch runs no network in int8: set NEEDLE_PREC"):
        resolve_precision("int8", CPU)
    asked = Settings(data_dir=tmp_path, device="cpu", precision="int8", models=str(CROPS))
    with pytest.raises(InvalidSettings, match="auto takes it"):
        load_pack(asked)


def whole_weights(name: str) -> list[NDArray[np.int64]]:
    graph = onnx.load(MINI / name, load_external_data=False).graph
    return [
        numpy_helper.to_array(tensor).astype(int)
        for tensor in graph.initializer
        if tensor.name.endswith("weight.whole")
    ]


def assert_pairs_fit(rows: NDArray[np.int64]) -> None:
    """AVX2 sums the products of two bytes and two weights in 16 bits; VNNI does in 32."""
    pairs = rows.reshape(len(rows), -1, 2)
    for sign in (1, -1):
        assert np.maximum(sign * pairs, 0).sum(axis=2).max() * 255 <= 2**15 - 1


@pytest.mark.parametrize("name", ["see.int8.onnx", "deep.int8.onnx"])
def test_no_two_neighbouring_weights_overflow_16_bits(name: str) -> None:
    weights = whole_weights(name)
    dense = [each for each in weights if each.shape[1] > 1]
    assert len(weights) > len(dense) > 0
    for each in dense:
        assert each.shape[2:] == (1, 1) and each.shape[1] % 2 == 0
        assert_pairs_fit(each)


def test_nor_do_those_of_the_thing_head() -> None:
    weights = whole_weights("head.int8.onnx")
    assert [each.shape[1] for each in weights] == [512, 128]
    for each in weights:
        assert_pairs_fit(np.ascontiguousarray(each.T))


def test_a_pack_whose_head_has_no_8_bits_yet_runs_it_in_float32(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(MINI, tmp_path / "net"))
    (folder / "head.int8.onnx").unlink()
    encoder = load_onepass(folder, device="cpu", threads=1)
    assert encoder.engine.precision == "int8"
    assert encoder.encode_images([texture(1, (96, 64))]).shape == (1, encoder.dim)
