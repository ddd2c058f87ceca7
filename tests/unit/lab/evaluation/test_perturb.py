"""Perturbations: what they do to the pixels, and that only the dice decide."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image, ImageOps

from lab.evaluation.perturb import PERTURBATIONS, crop, moved, turned

CORNERS = (40.0, 30.0, 120.0, 90.0)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A photo of 200 x 150 soft patches, no two alike."""
    rng = np.random.default_rng(5)
    noise = Image.fromarray(rng.integers(0, 256, (15, 20, 3), np.uint8))
    return noise.resize((200, 150), Image.Resampling.BICUBIC)


def perturbed(name: str, photo: Image.Image, seed: int = 0) -> Image.Image:
    return PERTURBATIONS[name](photo, CORNERS, random.Random(seed))


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_equal_dice_give_equal_pixels_and_the_photo_stays_as_it_was(
    name: str, photo: Image.Image
) -> None:
    before = photo.tobytes()
    first, second = perturbed(name, photo), perturbed(name, photo)
    assert (first.mode, first.size, first.tobytes()) == ("RGB", second.size, second.tobytes())
    assert photo.tobytes() == before


@pytest.mark.parametrize("name", PERTURBATIONS)
@pytest.mark.parametrize("corners", [(0.0, 0.0, 200.0, 150.0), (199.4, 149.2, 199.9, 149.8)])
def test_the_whole_photo_and_less_than_a_pixel_can_be_perturbed(
    name: str, corners: tuple[float, float, float, float], photo: Image.Image
) -> None:
    assert min(PERTURBATIONS[name](photo, corners, random.Random(1)).size) >= 1


@pytest.mark.parametrize("name", [name for name in PERTURBATIONS if name != "exact"])
def test_every_one_but_exact_changes_something(name: str, photo: Image.Image) -> None:
    exact = crop(photo, CORNERS)
    changed = perturbed(name, photo)
    assert changed.size != exact.size or changed.tobytes() != exact.tobytes()


def test_exact_is_the_crop(photo: Image.Image) -> None:
    assert perturbed("exact", photo).tobytes() == photo.crop((40, 30, 120, 90)).tobytes()


def test_sizes_are_what_the_names_say(photo: Image.Image) -> None:
    assert perturbed("half size, JPEG 30", photo).size == (40, 30)
    assert perturbed("low resolution", photo).size == (32, 24)
    assert perturbed("rotated", photo).size == (80, 60)
    assert perturbed("other background", photo).size == (115, 86)


def test_mirrored_twice_is_exact(photo: Image.Image) -> None:
    twice = ImageOps.mirror(perturbed("mirrored", photo))
    assert twice.tobytes() == crop(photo, CORNERS).tobytes()


def test_framing_moves_each_side_by_at_most_15_percent(photo: Image.Image) -> None:
    sizes = {perturbed("framing", photo, seed).size for seed in range(50)}
    assert len(sizes) > 20
    widths, heights = zip(*sizes, strict=True)
    assert 80 * 0.7 - 1 <= min(widths) < 70 and 90 < max(widths) <= 80 * 1.3 + 1
    assert min(heights) >= 60 * 0.7 - 1 and max(heights) <= 60 * 1.3 + 1


def test_sides_move_by_shares_of_the_boxs_own_sides() -> None:
    assert moved((10, 10, 30, 20), lambda: 0.1) == (12, 11, 32, 21)


def test_turning_by_nothing_is_the_crop_and_the_centre_stays(photo: Image.Image) -> None:
    assert turned(photo, CORNERS, 0).tobytes() == crop(photo, CORNERS).tobytes()
    around = (79.0, 59.0, 82.0, 62.0)
    marked = photo.copy()
    marked.paste((255, 0, 0), (77, 57, 84, 64))
    assert turned(marked, around, 10).getpixel((1, 1)) == (255, 0, 0)


def test_turning_is_counterclockwise_about_the_boxs_centre() -> None:
    photo = Image.new("RGB", (200, 200))
    photo.paste((255, 255, 255), (146, 96, 154, 104))  # 50 px right of the box's centre
    upright = np.asarray(turned(photo, (40.0, 40.0, 160.0, 160.0), 90).convert("L"), float)
    rows, columns = np.nonzero(upright > 128)
    assert (columns.mean(), rows.mean()) == pytest.approx((59.5, 9.5), abs=1.0)


def test_a_fifth_is_hidden(photo: Image.Image) -> None:
    exact = np.asarray(crop(photo, CORNERS))
    shares = [
        (np.asarray(perturbed("hidden", photo, seed)) != exact).any(axis=2).mean()
        for seed in range(20)
    ]
    assert shares == pytest.approx([0.2] * 20, abs=0.02)


def test_the_crop_lies_whole_on_the_other_background(photo: Image.Image) -> None:
    canvas, exact = np.asarray(perturbed("other background", photo)), crop(photo, CORNERS)
    windows = np.lib.stride_tricks.sliding_window_view(canvas, (60, 80), axis=(0, 1))
    wanted = np.asarray(exact).transpose(2, 0, 1)
    assert (windows == wanted).all(axis=(2, 3, 4)).sum() == 1
