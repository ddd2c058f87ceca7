"""What runs of convolutional networks share: which weights decay, and the average that ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def running_average(network: nn.Module, most: float, steps: Callable[[], int]) -> AveragedModel:
    """Return the average of the network's weights, whose decay rises to `most` (0..1).

    `steps` says how many were taken. At first the average moves faster: a tenth of the steps
    counts. With one decay from the start, the weights that a run began with would stay in the
    average of 4,400 steps by a tenth, and nothing would be detected.
    """

    def move(
        averages: Sequence[torch.Tensor],
        values: Sequence[torch.Tensor],
        seen: torch.Tensor | int,
    ) -> None:
        decay = min(most, (1 + steps()) / (10 + steps()))
        average: Any = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average(averages, values, seen)

    return AveragedModel(network, multi_avg_fn=move, use_buffers=True)


def decaying(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return groups for an optimiser: the weights of convolutions decay, biases and norms do not.

    As YOLOv5 does it.
    """
    weights = [p for p in network.parameters() if p.dim() > 1]
    rest = [p for p in network.parameters() if p.dim() <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
