"""Sizes in words: the same on both sides, and as limits are set."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.settings import Settings
from common.sizes import pixels, sized
from needle import wording


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1536, "1.5 kB"),
        (64 * 2**20, "64 MB"),
        (2**20 - 1, "1 MB"),
        (10 * 2**20 - 1, "10 MB"),
        (2**30, "1 GB"),
        (3.5 * 2**40, "3.5 TB"),
        (5000 * 2**40, "5,000 TB"),
    ],
)
def test_bytes_are_said_in_words(size: float, said: str) -> None:
    assert (sized(size), wording.sized(size)) == (said, said)


def test_the_limits_that_are_set_are_whole_numbers_in_words() -> None:
    settings = Settings(data_dir=Path("data"))
    assert sized(settings.max_file_bytes) == "64 MB"
    assert sized(settings.max_request_bytes) == "1 GB"
    assert pixels(settings.max_image_pixels) == "100 megapixels"


def test_pixels_are_said_in_words() -> None:
    assert [pixels(number) for number in (900, 1_500_000, 225_000_000)] == [
        "900 pixels",
        "1.5 megapixels",
        "225 megapixels",
    ]
