"""Muon in a chosen precision: torch's own computes in bfloat16, emulated or not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch


class Muon(torch.optim.Muon):
    """torch's Muon, but for the precision: the same steps to the last bit in bfloat16.

    What it keeps of a run is what torch's keeps. The scale is the one that fits AdamW's learning
    rates (`match_rms_adamw`).
    """

    def __init__(
        self,
        matrices: Iterable[torch.Tensor],
        *,
        lr: float,
        weight_decay: float,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Change each matrix (rows, columns) that has a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._change(matrix, matrix.grad, group)

    def _change(self, matrix: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state, momentum, rate = self.state[matrix], group["momentum"], group["lr"]
        average = state.setdefault("momentum_buffer", torch.zeros_like(gradient))
        average.lerp_(gradient, 1 - momentum)
        change = orthogonal(
            gradient.lerp(average, momentum).to(self._dtype),
            group["ns_coefficients"],
            group["ns_steps"],
            group["eps"],
        )
        matrix.mul_(1 - rate * group["weight_decay"])
        matrix.add_(change, alpha=-rate * 0.2 * math.sqrt(max(matrix.shape)))


def orthogonal(
    matrix: torch.Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> torch.Tensor:
    """Return nearly the nearest matrix whose singular values are all 1, in the same precision.

    They come to lie between about 0.7 and 1.2: Newton and Schulz's iteration, five steps of which
    are enough with Jordan's coefficients.
    """
    a, b, c = coefficients
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=eps)
    for _ in range(steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if matrix.shape[0] > matrix.shape[1] else wide
