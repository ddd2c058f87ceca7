"""From many small images to the one tensor that a CLIP network takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from worker.models.pixels import to_tensor

_LONGEST_ASPECT = 8


class ClipPixels:
    """Runs the steps of a checkpoint's own image processor, each by the processor's own method.

    The result equals that of calling the processor on the list. It takes half to a fifth of the
    time, because each image is resized in the layout that Pillow's pixels have (`to_tensor`)
    and rescaling and normalising run once, over all images, on the network's device.
    """

    def __init__(self, processor: Any, device: torch.device) -> None:
        self._processor = processor
        self._device = device

    def __call__(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Return RGB images as (N, 3, height, width) float32 on the device."""
        pixels = torch.stack([self._fit(image) for image in images]).to(self._device)
        done = self._processor(
            images=pixels, do_resize=False, do_center_crop=False, return_tensors="pt"
        )
        values: torch.Tensor = done["pixel_values"]
        return values

    def _fit(self, image: Image.Image) -> torch.Tensor:
        processor = self._processor
        pixels = to_tensor(_middle(image) if processor.do_center_crop else image)
        if processor.do_resize:
            pixels = processor.resize(pixels, size=processor.size, resample=processor.resample)
        if processor.do_center_crop:
            pixels = processor.center_crop(pixels, processor.crop_size)
        return pixels


def _middle(image: Image.Image) -> Image.Image:
    """Cut the far ends off a strip, before its short side is scaled up and the middle is kept.

    A strip of 1 x 5000 pixels would else become one of 224 x 1,120,000.
    """
    width, height = image.size
    longest = _LONGEST_ASPECT * min(width, height)
    if max(width, height) <= longest:
        return image
    new_width, new_height = min(width, longest), min(height, longest)
    left, top = (width - new_width) // 2, (height - new_height) // 2
    return image.crop((left, top, left + new_width, top + new_height))
