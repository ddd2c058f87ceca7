"""What tests share: photos and weights that do not ship, and the precision they run in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image

from worker.models.precision import resolve_precision

REPO = Path(__file__).resolve().parents[1]
MINI = REPO / "models" / "mini"
"""The pack that ships: a network."""
CROPS = REPO / "tests" / "models" / "crops"
"""A pack of crops, for tests alone: a small CLIP tower and a small YOLOv5."""
CROP_ENCODER, CROP_DETECTOR = CROPS / "encoder", CROPS / "detector.safetensors"

CPU = torch.device("cpu")
PRECISION = resolve_precision(os.environ.get("NEEDLE_PRECISION") or "auto", CPU)
"""What tests run in beside float32: emulated only where NEEDLE_PRECISION asks for that."""
TRAINING_DTYPE = torch.float32 if PRECISION.dtype == torch.float16 else PRECISION.dtype
"""The same for training, which float16 is no precision of."""
_FASTER = torch.bfloat16 if PRECISION.dtype == torch.float32 else PRECISION.dtype
DTYPES = [
    pytest.param(torch.float32, id="float32"),
    pytest.param(
        _FASTER,
        id=str(_FASTER).removeprefix("torch."),
        marks=pytest.mark.skipif(
            PRECISION.dtype != _FASTER, reason=f"tests run in float32: {PRECISION.reason}"
        ),
    ),
]
"""Parameters of a test: float32, and what this machine is faster in where there is that."""


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
