"""The optimiser of a convolutional network: Muon for what mixes channels, AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lab.training.muon import Muon

MOST_GRADIENT = 10.0
"""Longer gradients are shortened to this."""
REST_SHARE = 1 / 3
"""AdamW's learning rate, as a share of Muon's."""


class Optimiser:
    """Steps that change a network's weights, scaled as a whole.

    Muon takes matrices: the kernels of all convolutions but the first and the last, each as
    (channels out, all that goes into one of them). It turns a step into one that changes every
    direction of a matrix alike; the kind tower learns as much from half as many. Source: Jordan et
    al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the scale that fits
    AdamW's learning rates: Liu et al. 2025, "Muon is scalable for LLM training".
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        learning_rate: float,
        weight_decay: float,
        dtype: torch.dtype,
    ) -> None:
        """Take the network as it lies in memory, on its device; Muon computes in `dtype`.

        Raises ValueError where its kernels do not lie channels last.
        """
        kernels = [p for p in network.parameters() if p.dim() == 4]
        self._kernels = kernels[1:-1]
        taken = {id(kernel) for kernel in self._kernels}
        self._rest = [p for p in network.parameters() if id(p) not in taken]
        self._matrices = [nn.Parameter(_matrix(kernel.data)) for kernel in self._kernels]
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            if kernel.data_ptr() != matrix.data_ptr():
                raise ValueError("The network is to lie in memory channels last")
        self._optimisers: list[Any] = [
            Muon(self._matrices, lr=learning_rate, weight_decay=weight_decay, dtype=dtype),
            torch.optim.AdamW(self._rest, lr=REST_SHARE * learning_rate, weight_decay=0.0),
        ]
        self._rates = (learning_rate, REST_SHARE * learning_rate)

    def scale(self, share: float) -> None:
        """Take the next steps with this share (0..1) of the learning rates."""
        for optimiser, rate in zip(self._optimisers, self._rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = share * rate

    def step(self, loss: torch.Tensor) -> None:
        """Change the weights so that the loss falls."""
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self._kernels, *self._rest], MOST_GRADIENT)
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else _matrix(kernel.grad)
        for optimiser in self._optimisers:
            optimiser.step()
        for parameter in (*self._kernels, *self._rest):
            parameter.grad = None

    def state_dict(self) -> list[dict[str, Any]]:
        """Return what `load_state_dict` goes on from."""
        return [optimiser.state_dict() for optimiser in self._optimisers]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go on from where `state_dict` was taken."""
        for optimiser, state in zip(self._optimisers, states, strict=True):
            optimiser.load_state_dict(state)


def _matrix(kernel: torch.Tensor) -> torch.Tensor:
    """Return a kernel (out, in, height, width) as (out, height * width * in).

    The matrix of a kernel that lies channels last shares its memory: to change one is to change
    the other.
    """
    return kernel.permute(0, 2, 3, 1).flatten(1)
