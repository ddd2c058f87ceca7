"""Normalisation folded into the layer after it, a 1 x 1 convolution or a linear one."""

from __future__ import annotations

import torch
from torch import nn

Layer = nn.Conv2d | nn.Linear


def fold(norm: nn.BatchNorm2d, layer: Layer) -> torch.Tensor:
    """Change a layer's weights so that it needs no normalisation before it.

    Return what is to be added to its output, (channels,): its bias is left as it was, because two
    layers that are added up share one. The normalisation has no gain and shift of its own.
    """
    assert norm.running_mean is not None and norm.running_var is not None
    gain = torch.rsqrt(norm.running_var + norm.eps)
    with torch.no_grad():
        weight = layer.weight.flatten(1)
        weight *= gain
        return -(weight @ norm.running_mean)


def shift(layer: Layer, by: torch.Tensor) -> None:
    """Add to a layer's bias."""
    assert layer.bias is not None
    with torch.no_grad():
        layer.bias.add_(by)


def normed(channels: int, momentum: float = 0.1) -> nn.BatchNorm2d:
    """Return a normalisation that `fold` knows: mean 0 and deviation 1, nothing learnt."""
    return nn.BatchNorm2d(channels, affine=False, momentum=momentum)
