"""Pixels from Pillow to tensors, and their resizing."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

_MODES = {
    Image.Resampling.BILINEAR: InterpolationMode.BILINEAR,
    Image.Resampling.BICUBIC: InterpolationMode.BICUBIC,
}


def to_tensor(image: Image.Image) -> torch.Tensor:
    """Return an RGB image as uint8 (3, height, width), a view of rows of RGB pixels.

    Left in that layout on purpose: torch resizes it two to four times as fast as a contiguous
    tensor, and three to four times as fast as Pillow does, to the same pixels.
    """
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def resize(
    pixels: torch.Tensor, height: int, width: int, resample: Image.Resampling
) -> torch.Tensor:
    """Return uint8 (3, height, width), smoothed where it shrinks. Bilinear or bicubic."""
    resized: torch.Tensor = functional.resize(
        pixels, [height, width], interpolation=_MODES[resample], antialias=True
    )
    return resized
