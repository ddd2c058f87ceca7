"""The references, and several encoders over the same crops."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from transformers import CLIPVisionConfig

from lab.evaluation.embedder import Embedder, GalleryBuilder
from lab.evaluation.references import (
    ColourEncoder,
    PixelEncoder,
    random_clip,
    random_network,
    save_random,
)
from tests.assets import MINI
from tests.fakes import DensePixelEncoder, KindsEncoder
from tests.fakes import PixelEncoder as FakeEncoder
from tests.unit.lab.evaluation.helpers import patches
from worker.models.base import Embeddings
from worker.models.onepass.loading import load_onepass


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP checkpoint of two layers."""
    folder = tmp_path_factory.mktemp("tiny")
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
        projection_dim=8,
    )
    save_random(config, folder)
    size = {"height": 32, "width": 32}
    facts = {"image_processor_type": "CLIPImageProcessor", "size": size, "do_center_crop": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize("encoder", [PixelEncoder(), ColourEncoder()])
def test_an_identical_crop_scores_1_and_another_less(
    encoder: PixelEncoder | ColourEncoder,
) -> None:
    found = encoder.encode_images([patches(1), patches(1), patches(2)])
    assert found.dtype == np.float32
    assert found @ found[0] == pytest.approx([1, 1, found[2] @ found[0]], abs=1e-6)
    assert found[2] @ found[0] < 0.95


def test_pixels_know_places_and_colours_do_not() -> None:
    pair = [patches(1), ImageOps.mirror(patches(1))]
    pixels, colours = (e.encode_images(pair) for e in (PixelEncoder(), ColourEncoder()))
    assert pixels[0] @ pixels[1] < 0.9
    assert colours[0] @ colours[1] == pytest.approx(1, abs=0.01)


def test_one_colour_alone_is_no_error() -> None:
    plain = [Image.new("RGB", (5, 400), "navy"), Image.new("RGB", (1, 1))]
    assert np.isfinite(PixelEncoder().encode_images(plain)).all()
    assert ColourEncoder().encode_images(plain).max(axis=1).tolist() == [1, 1]


def test_random_weights_are_always_the_same_and_leave_the_dice_alone(tiny: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, second = (random_clip(tiny, torch.device("cpu")) for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    crops = [patches(1), patches(2)]
    assert np.array_equal(first.encode_images(crops), second.encode_images(crops))
    assert np.linalg.norm(first.encode_images(crops), axis=1) == pytest.approx([1, 1])


class Counting(PixelEncoder):
    """Pixels, and how many crops came at once."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        self.batches.append(len(images))
        return super().encode_images(images)


def test_groups_keep_their_order_and_the_memory_holds_one_batch() -> None:
    encoder = Counting()
    embedder = Embedder({"e": encoder})
    images = [patches(seed) for seed in range(3)]
    for number in range(300):
        embedder.add(images[number % 3], "odd" if number % 2 else "even")
    odd = embedder.embeddings("e", "odd")
    assert encoder.batches == [256, 44]
    assert odd == pytest.approx(encoder.encode_images([images[n % 3] for n in range(1, 300, 2)]))


def test_a_gallery_is_the_same_for_every_encoder() -> None:
    builder = GalleryBuilder({"pixels": PixelEncoder(), "colours": ColourEncoder()})
    for number in range(2):
        builder.add(number, patches(number), [(0, 0, 90, 70)])
    pixels, colours = builder.gallery("pixels"), builder.gallery("colours")
    assert pixels.owners.tolist() == colours.owners.tolist() == [0, 1]
    assert (pixels.embeddings.shape, colours.embeddings.shape) == ((2, 192), (2, 64))


def test_a_dense_encoder_reads_regions_off_the_photo_it_saw_once() -> None:
    dense = DensePixelEncoder()
    builder = GalleryBuilder({"dense": dense, "crops": FakeEncoder()})
    regions = [(0.0, 0.0, 90.0, 70.0), (4.6, 5.4, 50.2, 61.0), (80.0, 60.0, 120.0, 99.0)]
    for number in range(2):
        builder.add(number, patches(number), regions)
    assert len(dense.seen) == 2
    read, cut = builder.gallery("dense"), builder.gallery("crops")
    assert read.embeddings == pytest.approx(cut.embeddings)
    assert read.owners.tolist() == cut.owners.tolist() == [0, 0, 0, 1, 1, 1]
    assert set(builder.seconds()) == {"dense", "crops"}


def test_embeddings_that_are_known_are_taken_as_they_are() -> None:
    builder = GalleryBuilder({"own": DensePixelEncoder(), "more": FakeEncoder()}, known=["own"])
    row = np.eye(192, dtype=np.float32)[:1]
    builder.add(0, patches(0), [(0, 0, 9, 9)], {"own": row})
    assert np.array_equal(builder.gallery("own").embeddings, row)
    assert builder.gallery("more").embeddings.shape == (1, 192)


def test_an_encoder_that_says_kinds_is_measured_by_both_of_its_parts() -> None:
    embedder = Embedder({"k": KindsEncoder(), "p": FakeEncoder()}, split=True)
    assert embedder.parts.names == ("k", "k, kinds", "p")
    embedder.add(patches(1))
    things, kinds, plain = (embedder.embeddings(name) for name in embedder.parts.names)
    assert things == pytest.approx(plain, abs=1e-5)
    assert kinds.shape == (1, 3) and np.linalg.norm(kinds) == pytest.approx(1)
    assert Embedder({"k": KindsEncoder()}).parts.names == ("k",)


def test_an_untrained_network_is_shaped_as_the_one_that_ships() -> None:
    first, second = (random_network(MINI) for _ in range(2))
    crops = [patches(1), patches(2)]
    assert np.array_equal(first.encode_images(crops), second.encode_images(crops))
    shipped = load_onepass(MINI, device="cpu", threads=1)
    assert first.encode_images(crops).shape == (2, shipped.dim)
    assert first.kind_dim == shipped.kind_dim
