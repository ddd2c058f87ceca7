"""What a trained detector makes of a crop: which things look alike to one who knows many kinds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lab.training.pictures.photos import Pixels
from lab.training.pictures.views import resized
from worker.models.checkpoint import load_checkpoint
from worker.models.device import autocast
from worker.models.yolov5_network import build_network

SIDE_PX = 192
"""The teacher sees crops enlarged to this: of less its deepest map has hardly a cell."""


class Deepest:
    """The teacher's deepest features, just before it says what it detects, averaged over a crop."""

    def __init__(
        self, weights: Path, cache: Path, device: torch.device, dtype: torch.dtype
    ) -> None:
        """Load YOLOv5 weights; `dtype` is the precision that they run in. Raises InvalidModel."""
        self._device, self._dtype = device, dtype
        network, _ = build_network(load_checkpoint(weights, cache))
        layers: Any = network.model
        layers[-1] = _Last(layers[-1])
        self._network = network.to(device).to(memory_format=torch.channels_last)

    def __call__(self, crops: Sequence[Pixels]) -> NDArray[np.float32]:
        """Return (N, channels) of RGB crops (height, width, 3) uint8, squashed to squares."""
        squares = torch.from_numpy(np.stack([resized(crop, SIDE_PX, SIDE_PX) for crop in crops]))
        pixels = squares.permute(0, 3, 1, 2).to(self._device).float() / 255
        with torch.inference_mode(), autocast(self._device, self._dtype):
            features: torch.Tensor = self._network(pixels)
        averages: NDArray[np.float32] = features.float().mean((2, 3)).cpu().numpy()
        return averages


class _Last(nn.Module):
    """In the head's place: hands on the deepest of its inputs."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.f, self.i = head.f, head.i  # where the package's loop finds the inputs

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        return features[-1]
