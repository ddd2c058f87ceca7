"""What two networks of one shape make of the same pictures, just before they say it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class Features:
    """Compares the features that reach the heads of a student and of its teacher.

    Both are YOLOv5 networks of one size with a `RawHead`. A student that is told what to see, not
    only what to conclude, learns several times faster: Romero et al. 2015, "FitNets".
    """

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        self._seen: dict[str, list[torch.Tensor]] = {}
        for name, network in {"student": student, "teacher": teacher}.items():
            head: Any = network.model
            head[-1].register_forward_pre_hook(self._keep(name))

    def unlikeness(self) -> torch.Tensor:
        """Return the mean squared difference of the last pictures' features, in deviations.

        Zero where they are equal, about 1 for a student that always says the teacher's mean. Each
        channel counts alike, whatever its range.
        """
        parts = []
        for own, other in zip(self._seen["student"], self._seen["teacher"], strict=True):
            wanted = other.detach().float()
            spread = wanted.var((0, 2, 3), keepdim=True).clamp(min=1e-4)
            parts.append(F.mse_loss(own.float() / spread.sqrt(), wanted / spread.sqrt()))
        return torch.stack(parts).mean()

    def _keep(self, name: str) -> Any:
        def keep(_module: nn.Module, inputs: tuple[list[torch.Tensor]]) -> None:
            self._seen[name] = list(inputs[0])

        return keep
