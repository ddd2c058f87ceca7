"""What every Encoder keeps, the fakes as well as the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from common.errors import TextNotSupported
from tests.assets import CPU, CROP_ENCODER, DTYPES, MINI, one_torch_thread
from tests.fakes import KindsEncoder, PixelEncoder
from worker.models.base import Encoder
from worker.models.clip import ClipEncoder
from worker.models.onepass.loading import load_onepass


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield


@pytest.fixture(scope="module", params=["fake", "kinds", "one pass", *DTYPES])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    if request.param == "fake":
        return PixelEncoder()
    if request.param == "kinds":
        return KindsEncoder()
    if request.param == "one pass":
        return load_onepass(MINI, device="cpu", threads=1)
    return ClipEncoder(CROP_ENCODER, CPU, batch_size=4, dtype=request.param)


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    """Eleven images of mixed sizes, a strip and a single pixel among them."""
    rng = np.random.default_rng(7)
    sizes = [(rng.integers(20, 200), rng.integers(20, 200)) for _ in range(9)]
    return [
        Image.fromarray(rng.integers(0, 256, (5, 4, 3), np.uint8)).resize(
            (int(width), int(height)), Image.Resampling.BICUBIC
        )
        for width, height in [*sizes, (3, 700), (1, 1)]
    ]


def test_embeddings_are_float32_of_norm_1(encoder, images) -> None:
    embeddings = encoder.encode_images(images)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (len(images), encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_no_images_give_no_rows(encoder) -> None:
    embeddings = encoder.encode_images([])
    assert embeddings.shape == (0, encoder.dim)
    assert embeddings.dtype == np.float32


def test_an_identical_image_scores_1(encoder, images) -> None:
    embeddings = encoder.encode_images([images[0], images[1], images[0].copy()])
    assert embeddings[0] @ embeddings[2] == pytest.approx(1, abs=1e-5)
    assert embeddings[0] @ embeddings[1] < 0.99


def test_an_image_does_not_depend_on_its_neighbours(encoder, images) -> None:
    together = encoder.encode_images(images)
    alone = np.concatenate([encoder.encode_images([image]) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_the_same_call_gives_the_same_bits(encoder, images) -> None:
    np.testing.assert_array_equal(encoder.encode_images(images), encoder.encode_images(images))


def test_threads_get_the_same_answers(encoder, images) -> None:
    expected = encoder.encode_images(images)
    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(encoder.encode_images, images) for _ in range(4)]:
            np.testing.assert_array_equal(job.result(), expected)


def test_an_encoder_without_a_text_side_says_so(encoder) -> None:
    assert not encoder.has_text
    with pytest.raises(TextNotSupported):
        encoder.encode_texts(["a cat"])


def test_the_id_names_it(encoder) -> None:
    assert isinstance(encoder.id, str)
    assert encoder.id
