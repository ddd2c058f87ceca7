"""Normalisation folded into the 1 x 1 convolution after it: what ships has none."""

from __future__ import annotations

import torch
from torch import nn


def fold(norm: nn.BatchNorm2d, conv: nn.Conv2d) -> torch.Tensor:
    """Change a 1 x 1 convolution's kernel so that it needs no normalisation before it.

    Return what is to be added to its output, (channels,): its bias is left as it was, because two
    convolutions that are added up share one. The normalisation has no gain and shift of its own.
    """
    assert norm.running_mean is not None and norm.running_var is not None
    gain = torch.rsqrt(norm.running_var + norm.eps)
    with torch.no_grad():
        weight = conv.weight.flatten(1)
        weight *= gain
        return -(weight @ norm.running_mean)


def shift(conv: nn.Conv2d, by: torch.Tensor) -> None:
    """Add to a convolution's bias."""
    assert conv.bias is not None
    with torch.no_grad():
        conv.bias.add_(by)


def normed(channels: int) -> nn.BatchNorm2d:
    """Return a normalisation that `fold` knows: mean 0 and deviation 1, nothing learnt."""
    return nn.BatchNorm2d(channels, affine=False)
