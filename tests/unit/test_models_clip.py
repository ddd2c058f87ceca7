from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from common.errors import InvalidModel, TextNotSupported
from common.geometry import Box
from tests.assets import CPU, CROP_ENCODER, DTYPES, one_torch_thread
from worker.models.base import BoxEncoder
from worker.models.clip import ClipEncoder, find_clip
from worker.models.clip_boxes import GpuClipEncoder
from worker.models.clip_pixels import ClipPixels
from worker.models.pixels import to_tensor

CANONICAL_ID = "crops-encoder:ad0d0efc2600"
CANONICAL = [0.1561, -0.0757, -0.0587, 0.0847, -0.0071, 0.1281, -0.0876, 0.1613]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield


def gradient(width: int, height: int) -> Image.Image:
    """Return a picture that is the same on every machine."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height))
    return Image.fromarray(np.stack(channels, -1).astype(np.uint8))


@pytest.fixture(scope="module")
def crops() -> list[Image.Image]:
    rng = np.random.default_rng(3)
    noise = Image.fromarray(rng.integers(0, 256, (90, 120, 3), np.uint8)).resize((900, 700))
    sizes = [(40, 40), (300, 120), (61, 203), (5, 9), (700, 650), (120, 60), (96, 96), (1, 1)]
    return [noise.crop((7, 11, 7 + width, 11 + height)) for width, height in sizes]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP with random weights and both sides."""
    folder = tmp_path_factory.mktemp("tiny-clip")
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
    tokenizer.save_pretrained(folder)
    side = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "projection_dim": 24}  # fmt: skip
    torch.manual_seed(0)
    ends = {"bos_token_id": len(tokens) - 2, "eos_token_id": len(tokens) - 1}
    config = CLIPConfig(
        text_config={**side, **ends, "vocab_size": len(tokens), "max_position_embeddings": 77},
        vision_config={**side, "image_size": 64, "patch_size": 16},
        projection_dim=24,
    )
    CLIPModel(config).save_pretrained(folder)
    size = {"shortest_edge": 64}, {"height": 64, "width": 64}
    CLIPImageProcessor(size=size[0], crop_size=size[1]).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_mini_encoder_gives_its_canonical_vector(dtype: torch.dtype) -> None:
    encoder = ClipEncoder(CROP_ENCODER, CPU, name="crops-encoder", dtype=dtype)
    assert encoder.id == CANONICAL_ID
    assert (encoder.dim, encoder.has_text) == (256, False)
    vector = encoder.encode_images([gradient(200, 150)])[0]
    tolerance = 1e-3 if dtype == torch.float32 else 1e-2
    np.testing.assert_allclose(vector[:8], CANONICAL, atol=tolerance)


def test_squashed_pixels_equal_the_processors(crops: list[Image.Image]) -> None:
    _compare(AutoImageProcessor.from_pretrained(CROP_ENCODER), crops)


def test_cropped_pixels_equal_the_processors(crops: list[Image.Image]) -> None:
    _compare(CLIPImageProcessor(), crops)


def _compare(processor: CLIPImageProcessor, crops: list[Image.Image]) -> None:
    expected = processor(images=crops, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(ClipPixels(processor, CPU)(crops), expected, atol=1e-5, rtol=0)


def test_a_long_strip_takes_little_memory() -> None:
    pixels = ClipPixels(CLIPImageProcessor(), CPU)([Image.new("RGB", (1, 60_000), "red")])
    assert pixels.shape == (1, 3, 224, 224)


@pytest.mark.parametrize("dtype", DTYPES)
def boxes_of(image: Image.Image) -> list[Box]:
    """Return boxes of several sizes and shapes, some of them of one size, out of order."""
    width, height = image.size
    return [
        Box(0, 0, 40, 40),
        Box(10, 5, 90, 33),
        Box(0, 0, width, height),
        Box(50, 20, 90, 60),
        Box(3, 0, 5, height),
        Box(60, 41, 100, 81),
    ]


def test_boxes_cut_on_the_device_are_the_pixels_of_crops() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8))
    square = {"height": 96, "width": 96}
    for options in ({}, {"do_center_crop": False, "size": square}):
        pixels = ClipPixels(CLIPImageProcessor(**options), CPU)
        crops = [image.crop(box.as_tuple()) for box in boxes_of(image)]
        cut = pixels.of_boxes(to_tensor(image), boxes_of(image))
        torch.testing.assert_close(cut, pixels(crops), atol=0.02, rtol=0)


def test_boxes_of_several_images_are_embedded_in_their_order() -> None:
    images = [
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (120, 160, 3), np.uint8))
        for n in range(2)
    ]
    boxes = [(image, box) for image in images for box in boxes_of(image)]
    encoder = GpuClipEncoder(CROP_ENCODER, CPU, dtype=torch.float32, batch_size=4)
    crops = encoder.encode_images([image.crop(box.as_tuple()) for image, box in boxes])
    assert isinstance(encoder, BoxEncoder)
    np.testing.assert_allclose(encoder.encode_boxes(boxes), crops, atol=1e-4)
    assert encoder.encode_boxes([]).shape == (0, encoder.dim)


@pytest.mark.parametrize("dtype", DTYPES)
def test_embeddings_equal_those_of_transformers(
    crops: list[Image.Image], dtype: torch.dtype
) -> None:
    network = CLIPVisionModelWithProjection.from_pretrained(CROP_ENCODER, dtype=torch.float32)
    processor = AutoImageProcessor.from_pretrained(CROP_ENCODER)
    with torch.inference_mode():
        expected = network(**processor(images=crops, return_tensors="pt")).image_embeds
    expected = torch.nn.functional.normalize(expected, dim=-1).numpy()
    encoder = ClipEncoder(CROP_ENCODER, CPU, dtype=dtype, batch_size=3)
    tolerance = 1e-4 if dtype == torch.float32 else 2e-2
    np.testing.assert_allclose(encoder.encode_images(crops), expected, atol=tolerance)


def test_texts_and_images_share_a_space(full: Path) -> None:
    encoder = ClipEncoder(full, CPU, dtype=torch.float32, batch_size=2)
    assert (encoder.dim, encoder.has_text) == (24, True)
    texts = ["a cat", "one bird on a very long branch", "a cat", "z" * 500]
    embeddings = encoder.encode_texts(texts)
    assert embeddings.shape == (4, 24)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert embeddings[0] @ embeddings[1] < 0.9999
    np.testing.assert_allclose(embeddings[0], embeddings[2], atol=1e-5)
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(embeddings, alone, atol=1e-5)
    assert encoder.encode_texts([]).shape == (0, 24)
    assert encoder.encode_images([gradient(90, 40)]).shape == (1, 24)


def test_text_without_a_text_side_names_the_packs_that_have_one() -> None:
    encoder = ClipEncoder(CROP_ENCODER, CPU)
    with pytest.raises(TextNotSupported, match=r"NEEDLE_MODELS=standard.*NEEDLE_ENCODER"):
        encoder.encode_texts(["a cat"])


def test_the_short_name_of_a_packs_encoder_is_the_packs(full: Path) -> None:
    assert find_clip(str(CROP_ENCODER)) == (CROP_ENCODER, "crops-encoder")
    assert find_clip(str(full))[1] == full.name


def test_the_id_follows_weights_and_preprocessing(tmp_path: Path) -> None:
    shutil.copytree(CROP_ENCODER, tmp_path / "crops-encoder")
    assert ClipEncoder(tmp_path / "crops-encoder", CPU).id == CANONICAL_ID
    preprocessing = tmp_path / "crops-encoder" / "preprocessor_config.json"
    facts = json.loads(preprocessing.read_text())
    preprocessing.write_text(json.dumps({**facts, "resample": 2}))
    assert ClipEncoder(tmp_path / "crops-encoder", CPU).id != CANONICAL_ID


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_faulty_checkpoints_are_refused(tmp_path: Path) -> None:
    def broken(name: str) -> Path:
        return Path(shutil.copytree(CROP_ENCODER, tmp_path / name))

    with pytest.raises(InvalidModel, match="is no CLIP checkpoint"):
        ClipEncoder(tmp_path, CPU)
    (broken("cut") / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(InvalidModel, match="cannot be loaded"):
        ClipEncoder(tmp_path / "cut", CPU)
    _edit(broken("bert") / "config.json", model_type="bert")
    with pytest.raises(InvalidModel, match="type 'bert', not CLIP"):
        ClipEncoder(tmp_path / "bert", CPU)
    _edit(broken("deep") / "config.json", num_hidden_layers=7)
    with pytest.raises(InvalidModel, match="lacks some of its network's weights"):
        ClipEncoder(tmp_path / "deep", CPU)
    _edit(broken("size") / "preprocessor_config.json", size={"height": 64, "width": 64})
    with pytest.raises(InvalidModel, match=r"makes \(3, 64, 64\), the network takes \(3, 96, 96\)"):
        ClipEncoder(tmp_path / "size", CPU)


def test_a_text_side_without_its_tokenizer_is_refused(full: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(full, tmp_path / "mute"))
    for file in (*folder.glob("*token*"), *folder.glob("vocab*"), *folder.glob("merges*")):
        file.unlink()
    with pytest.raises(InvalidModel, match="tokenizer"):
        ClipEncoder(folder, CPU)


def test_weights_of_one_side_alone_are_no_full_clip(tmp_path: Path, full: Path) -> None:
    folder = Path(shutil.copytree(full, tmp_path / "half"))
    shutil.copy(CROP_ENCODER / "model.safetensors", folder)
    with pytest.raises(InvalidModel):
        ClipEncoder(folder, CPU)


def test_a_tower_without_projection_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CROP_ENCODER, tmp_path / "other"))
    config = CLIPVisionConfig.from_pretrained(folder)
    config.num_hidden_layers = 1
    network = CLIPVisionModelWithProjection(config).vision_model
    network.save_pretrained(folder)
    shutil.copy(CROP_ENCODER / "config.json", folder)
    with pytest.raises(InvalidModel):
        ClipEncoder(folder, CPU)
