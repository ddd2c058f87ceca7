"""Where tests find the photos and weights that do not ship with the project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image

REPO = Path(__file__).resolve().parents[1]
MINI_ENCODER = REPO / "models" / "mini" / "encoder"
MINI_KINDS = REPO / "models" / "mini" / "kinds.safetensors"


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch on one thread: on a busy machine its threads wait for one another (6 x slower)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def shared_file(relative: str) -> Path:
    """Return a file of the development set; skips the test where it is absent."""
    path = Path(os.environ.get("NEEDLE_TEST_SHARED") or REPO.parent / "shared") / relative
    if not path.is_file():
        pytest.skip(f"needs {relative} of the development set (NEEDLE_TEST_SHARED)")
    return path


def shared_photo(name: str) -> Image.Image:
    """Return a demo photo as RGB; skips the test where it is absent."""
    return Image.open(shared_file(f"data/demo/{name}")).convert("RGB")
