"""The optimiser: every weight moves, the loss falls, and it goes on from a state."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.optimiser import Optimiser

PIXELS = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def _network() -> nn.Module:
    torch.manual_seed(2)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 4, 1)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def _losses(network: nn.Module, optimiser: Optimiser, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        loss = (network(PIXELS) - 1).square().mean()
        optimiser.step(loss)
        losses.append(loss.item())
    return losses


def test_every_weight_moves_and_the_loss_falls() -> None:
    network = _network()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    losses = _losses(network, Optimiser(network, learning_rate=0.02, weight_decay=0.01), 30)
    assert losses[-1] < 0.3 * losses[0]
    moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    # A bias before a normalisation has no say, and rounding is all that moves it.
    assert moved | {"0.bias"} == set(before) | {"0.bias"}


def test_a_step_of_no_rate_changes_nothing() -> None:
    network = _network()
    before = [p.detach().clone() for p in network.parameters()]
    optimiser = Optimiser(network, learning_rate=0.02, weight_decay=0.01)
    optimiser.scale(0.0)
    _losses(network, optimiser, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_it_goes_on_from_a_state() -> None:
    whole, halves = _network(), _network()
    options = {"learning_rate": 0.02, "weight_decay": 0.01}
    _losses(whole, Optimiser(whole, **options), 6)
    first = Optimiser(halves, **options)
    _losses(halves, first, 3)
    second = Optimiser(halves, **options)
    second.load_state_dict(first.state_dict())
    _losses(halves, second, 3)
    for one, other in zip(whole.parameters(), halves.parameters(), strict=True):
        assert torch.equal(one, other)


def test_kernels_that_lie_otherwise_are_refused() -> None:
    network = nn.Sequential(*[nn.Conv2d(4, 4, 3) for _ in range(3)])
    with pytest.raises(ValueError, match="channels last"):
        Optimiser(network, learning_rate=0.02, weight_decay=0.01)
