"""The references, and several encoders over the same crops."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from rich.console import Console
from transformers import CLIPVisionConfig

from common.settings import Settings
from lab.evaluation import categories, detector, pack, speed
from lab.evaluation.embedder import Embedder, GalleryBuilder
from lab.evaluation.encoders import labelled_regions, measure
from lab.evaluation.perturb import PERTURBATIONS
from lab.evaluation.photos import LabelledBox, Photo
from lab.evaluation.questions import (
    BANDS,
    EVERY_SIZE,
    Questions,
    choose_boxes,
)
from lab.evaluation.references import (
    ColourEncoder,
    PixelEncoder,
    random_clip,
    random_network,
    save_random,
)
from lab.evaluation.seeing import Coverage, TimedSeer
from tests.assets import CROP_DETECTOR, MINI
from tests.fakes import DensePixelEncoder, FixedDetector, KindsEncoder
from tests.fakes import PixelEncoder as FakeEncoder
from worker.indexing.regions import Tiling, propose
from worker.indexing.seeing import seer_of
from worker.models.base import Detection, Embeddings
from worker.models.onepass.loading import load_onepass
from worker.models.packs import LoadedPack


def patches(seed: int, width: int = 90, height: int = 70) -> Image.Image:
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 256, (7, 9, 3), np.uint8))
    return noise.resize((width, height), Image.Resampling.BICUBIC)


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


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    """Four photos of one large, one small and one tiny thing."""
    boxes = (
        LabelledBox((5, 5, 55, 55), "cat"),
        LabelledBox((60, 40, 85, 65), "dog"),
        LabelledBox((80, 0, 85, 5), "fly"),
    )
    found = []
    for seed in range(4):
        path = tmp_path / f"{seed}.png"
        patches(seed).save(path)
        found.append(Photo(path, "made", 90, 70, boxes))
    return found


def test_boxes_are_chosen_by_size_and_do_not_depend_on_the_other_photos(
    photos: list[Photo],
) -> None:
    every = choose_boxes(photos, bands=EVERY_SIZE, most=1, least_px=24)
    assert [q.photo for q in every] == [0, 1, 2, 3]
    assert {q.box.label for q in every} <= {"cat", "dog"}
    assert every[1].box == choose_boxes(photos[1:], bands=EVERY_SIZE, most=1, least_px=24)[0].box
    by_size = choose_boxes(photos[:1], bands=BANDS, most=2, least_px=0)
    assert [q.box.label for q in by_size] == ["cat", "dog", "fly"]


def test_labels_grids_and_the_whole_are_the_regions(photos: list[Photo]) -> None:
    regions = list(labelled_regions(photos[0]))
    assert regions[:3] == [(0, 0, 90, 70), (5, 5, 55, 55), (60, 40, 85, 65)]
    assert len(regions) == 3 + 4 + 9 + 16
    assert regions[-1] == pytest.approx((67.5, 52.5, 90, 70))


def test_every_exact_crop_is_found_by_every_encoder(photos: list[Photo]) -> None:
    questions = Questions(choose_boxes(photos, bands=EVERY_SIZE, most=2, least_px=24), ())
    encoders = {"pixels": PixelEncoder(), "colours": ColourEncoder()}
    measured = measure(photos, questions, encoders, Console(quiet=True))
    exact = [row for row in measured.rows if row.what == "exact"]
    assert [row.encoder for row in exact] == ["pixels", "colours"]
    for row in exact:
        assert row.figures["recall@1"].value == 1
        assert row.figures["top hit IoU"].value == pytest.approx(1)
    assert {row.what for row in measured.rows if row.table == "perturbed crops"} == set(
        PERTURBATIONS
    )
    kinds = [row for row in measured.rows if row.table == "same kind"]
    assert {len(row.outcomes) for row in kinds} == {8}


def test_a_pack_is_measured_on_the_regions_that_the_settings_make(photos: list[Photo]) -> None:
    questions = Questions(choose_boxes(photos, bands=BANDS, most=1, least_px=12), ())
    settings = Settings(tile_scales="1,2", tile_min_px=16, batch_size=3)
    own = FakeEncoder()
    seer = TimedSeer(seer_of(own, None, settings), settings)
    encoders = {"pixels": own, "colours": ColourEncoder()}
    measured = pack.measure(photos, questions, seer, "pixels", encoders, Console(quiet=True))
    # The whole, two tiles of 70 px and four by three of 35 px, half over each other.
    assert measured.regions == [1 + 2 + 15] * 4
    assert set(measured.encoding_s) == {"colours"} and measured.seeing_s > 0
    rows = [row for row in measured.rows if row.encoder == "pixels"]
    exact = {row.band: row for row in rows if row.what == "exact"}
    assert len(exact[">= 4 %"].outcomes) == 8
    assert exact["> 16 %"].figures["recall@1"].value == 1


def test_a_detector_is_judged_with_and_without_its_labels(photos: list[Photo]) -> None:
    def found(label: str) -> list[list[Detection]]:
        return [[Detection(4, 4, 55, 55, label, 0.9), Detection(60, 40, 85, 65, "dog", 0.5)]] * 4

    right, wrong = (detector.figures(photos, found(label))["made"] for label in ("Cat", "cow"))
    name = "recall of the best 10, IoU 0.5"
    assert right[name] == wrong[name] == pytest.approx(2 / 3)
    assert (right["mAP, IoU 0.5"], wrong["mAP, IoU 0.5"]) == pytest.approx((2 / 3, 1 / 3))


def test_a_network_and_a_yolov5_are_both_detectors(photos: list[Photo]) -> None:
    for path in (MINI, CROP_DETECTOR):
        found = detector.load(path, Settings(device="cpu", threads=1))
        image = Image.open(photos[0].path).convert("RGB")
        assert len(found.detect([image], confidence_threshold=0.5)) == 1
    assert found.id.startswith("yolov5:")


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_photos_of_one_category_are_to_find_each_other(tmp_path: Path, form: str) -> None:
    colours = {"BACKGROUND_Google": "red", "sky": "navy", "grass": "green", "lonely": "grey"}
    for category, colour in colours.items():
        (tmp_path / "photos" / category).mkdir(parents=True)
        for number in range(1 if category == "lonely" else 5):
            image = Image.blend(patches(number), Image.new("RGB", (90, 70), colour), 0.7)
            image.save(tmp_path / "photos" / category / f"{number}.png")
    source = tmp_path / "photos"
    if form == "archive":
        source = tmp_path / "photos.tar"
        with tarfile.open(source, "w") as tar:
            tar.add(tmp_path / "photos", arcname=".")
    drawn = list(categories.drawn(source, 3))
    assert [photo.category for photo in drawn] == ["grass"] * 3 + ["sky"] * 3
    again = list(categories.drawn(source, 3))
    assert [p.image.tobytes() for p in drawn] == [p.image.tobytes() for p in again]
    rows = categories.measure(drawn, {"k": KindsEncoder()}, Console(quiet=True))
    assert [row.encoder for row in rows] == ["k", "k, kinds"]
    assert rows[1].figures["mean average precision"].value == 1
    assert rows[1].figures["recall@1"].value == 1
    with pytest.raises(FileNotFoundError):
        list(categories.drawn(tmp_path / "nowhere", 3))


def test_a_dense_pack_is_timed_by_what_it_sees_and_crops_by_what_they_cost(
    photos: list[Photo],
) -> None:
    dense, found = DensePixelEncoder(), FixedDetector()
    settings = Settings(profile="fast")
    loaded = LoadedPack("dense", None, dense, "cpu", "float32")
    crops = LoadedPack("crops", found, FakeEncoder(), "cpu", "float32")
    sides = {
        speed.AGAINST: speed.side_of(crops, settings),
        "dense": speed.side_of(loaded, settings),
    }
    assert [type(side).__name__ for side in sides.values()] == ["CropSide", "DenseSide"]
    seer = TimedSeer(seer_of(dense, None, settings), settings)
    paths = [photo.path for photo in photos]
    spent, regions = speed.measure(paths, seer, sides, Console(quiet=True))
    assert {name: times.shape for name, times in spent.items()} == dict.fromkeys(sides, (4, 2))
    assert regions >= 1 and (spent["dense"] > 0).all()
    speed.show(spent, regions, "dense", Console(quiet=True))


def test_coverage_tells_which_sizes_are_met(photos: list[Photo]) -> None:
    coverage = Coverage()
    for photo in photos:
        coverage.add(photo, propose(90, 70, [], Tiling((1, 2), 0.0, 16)))
    met = coverage.recall(BANDS)["made"]
    assert (met["> 16 %"].value, met["> 16 %"].of) == (1.0, 4)
    assert met["< 0.25 %"].of == 0
    assert met["0.25-1 %"].value == 0.0
