"""What a trained detector makes of a crop: which things look alike to one who knows many kinds."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from worker.models.checkpoint import Checkpoint
from worker.models.device import autocast
from worker.models.yolov5_network import build_network

SIDE_PX = 192
"""The teacher sees crops enlarged to this: of less its deepest map has hardly a cell."""


def pixels_of(crops: torch.Tensor) -> torch.Tensor:
    """Return crops (N, 3, side, side) uint8 as floats 0..1."""
    return crops.float() / 255


def enlarged(pixels: torch.Tensor, side_px: int) -> torch.Tensor:
    """Return squares (N, 3, side, side) with sides of `side_px` instead."""
    pixels = F.interpolate(pixels, size=(side_px, side_px), mode="bilinear")
    return pixels.contiguous(memory_format=torch.channels_last)


class Deepest:
    """The teacher's deepest features, just before it says what it detects."""

    def __init__(self, teacher: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        """Build the network on the device; `dtype` is the precision that it runs in."""
        self._dtype = dtype
        network, _ = build_network(teacher)
        layers: Any = network.model
        layers[-1] = _Last(layers[-1])
        self._network = network.to(device).to(memory_format=torch.channels_last)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, channels, rows, columns) float32 of RGB pixels (N, 3, side, side), 0..1."""
        with torch.no_grad(), autocast(pixels.device, self._dtype):
            features: torch.Tensor = self._network(pixels)
        return features.float()


class _Last(nn.Module):
    """In the head's place: hands on the deepest of its inputs."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.f, self.i = head.f, head.i  # where the package's loop finds the inputs

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        return features[-1]


class Resemblance:
    """Turns crops into directions: near each other where the teacher's deepest features are.

    The features are averaged over the crop, centred, and projected on the `dim` axes along which
    a sample of crops differs most.
    """

    def __init__(
        self, teacher: Checkpoint, sample: torch.Tensor, dim: int, dtype: torch.dtype
    ) -> None:
        """Fit the axes to the `sample`, crops (N, 3, side, side) uint8, N at least `dim`."""
        self._deepest = Deepest(teacher, sample.device, dtype)
        features = torch.cat([self._features(part) for part in torch.split(sample, 256)])
        self._mean = features.mean(0)
        _, _, axes = torch.linalg.svd(features - self._mean, full_matrices=False)
        self._axes = axes[:dim].T

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Return (N, dim) float32 directions, L2 norm 1, of crops (N, 3, side, side) uint8."""
        return F.normalize((self._features(crops) - self._mean) @ self._axes, dim=1)

    def _features(self, crops: torch.Tensor) -> torch.Tensor:
        return self._deepest(enlarged(pixels_of(crops), SIDE_PX)).mean((2, 3))
