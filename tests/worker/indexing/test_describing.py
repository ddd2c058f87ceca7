"""Local features of an image, by the profile of its job."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from common.catalogue import ImageRecord
from common.jobs import Item
from tests.textures import texture
from tests.worker.conftest import VOCABULARY
from worker.indexing.describing import FEW, Describer
from worker.indexing.image import LoadedImage
from worker.indexing.options import IndexOptions
from worker.local.features import extract
from worker.local.stored import StoredKeypoints

OPTIONS = IndexOptions("job", "shop", 0.05, 8, "balanced", None, 1000)
FAST = replace(OPTIONS, profile="fast")
DESCRIBER = Describer(VOCABULARY)


def keypoints(image: Image.Image, options: IndexOptions) -> StoredKeypoints:
    record = ImageRecord("a", "shop", "a.png", "image/png", *image.size, 0, {})
    loaded = LoadedImage(Item(0, "a.png", "a"), record, image, b"")
    features = DESCRIBER.described(loaded, options).features
    assert features is not None
    return StoredKeypoints.from_bytes(features.keypoints, VOCABULARY)


def test_fast_takes_fewer_and_coarser_local_features() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (180, 240, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((480, 360))
    every, fast = keypoints(image, OPTIONS), keypoints(image, FAST)
    assert 0 < len(fast) <= 400 < len(every) <= 1000
    # Nothing finer than what the image's own pixels show: it is not enlarged.
    assert fast.sizes.min() > 1.3 * every.sizes.min()


def test_fast_bounds_the_pixels_of_large_images() -> None:
    image = texture(2, (640, 480)).resize((2400, 1800))
    fast = keypoints(image, FAST)
    assert 400 < len(fast) <= 1000 * 0.4 * 1_500_000 / 625_000
    assert fast.points.max() > 1700


@pytest.mark.parametrize("profile", ["balanced", "thorough"])
def test_a_recipe_names_what_decides_local_features(profile: str) -> None:
    assert DESCRIBER.recipe(replace(OPTIONS, profile=profile)) == DESCRIBER.recipe(OPTIONS)
    assert DESCRIBER.recipe(FAST) != DESCRIBER.recipe(OPTIONS)
    assert DESCRIBER.recipe(replace(OPTIONS, local_features=500)) != DESCRIBER.recipe(OPTIONS)
    assert DESCRIBER.recipe(replace(OPTIONS, local_features=0)) == ""


def test_a_large_drawing_is_enlarged_as_queries_are() -> None:
    drawing = Image.new("RGB", (2400, 1800), "white")
    draw = ImageDraw.Draw(drawing)
    for number in range(300):
        x, y = number % 20 * 118 + 20, number // 20 * 118 + 20
        text = f"K{number * 7919 % 9973}"
        draw.text((x, y), text, fill="black", font=ImageFont.load_default(13))
        draw.rectangle((x, y + 20, x + 30 + number % 9, y + 44), outline="black")
    options = replace(OPTIONS, local_features=2500)
    every = keypoints(drawing, options)
    fast = keypoints(drawing, replace(FAST, local_features=2500))
    own = extract(drawing, 100_000, 2400 * 1800)
    assert len(every) > 1.3 * len(own) > 1.3 * len(fast)
    assert every.sizes.min() < 0.8 * own.sizes.min()
    # What has keypoints enough at its own size is not.
    noise = np.random.default_rng(1).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    busy = Image.fromarray(noise).resize((2400, 1800))
    own = extract(busy, round(1000 * 2400 * 1800 / 625_000), 2400 * 1800)
    assert len(own) > FEW * 1000 * 2400 * 1800 / 625_000
    assert (keypoints(busy, OPTIONS).sizes.min() / own.sizes.min()) == pytest.approx(1, rel=0.1)
