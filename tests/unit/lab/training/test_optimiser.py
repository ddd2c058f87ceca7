"""The optimiser: every weight moves, the loss falls, and it goes on from a state."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lab.training.muon import Muon
from lab.training.optimiser import Optimiser
from tests.assets import DTYPES, TRAINING_DTYPE

PIXELS = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))
OPTIONS: Any = {"learning_rate": 0.02, "weight_decay": 0.01, "dtype": TRAINING_DTYPE}


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
    losses = _losses(network, Optimiser(network, **OPTIONS), 30)
    assert losses[-1] < 0.3 * losses[0]
    moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    # A bias before a normalisation has no say, and rounding is all that moves it.
    assert moved | {"0.bias"} == set(before) | {"0.bias"}


def test_a_step_of_no_rate_changes_nothing() -> None:
    network = _network()
    before = [p.detach().clone() for p in network.parameters()]
    optimiser = Optimiser(network, **OPTIONS)
    optimiser.scale(0.0)
    _losses(network, optimiser, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_it_goes_on_from_a_state() -> None:
    whole, halves = _network(), _network()
    _losses(whole, Optimiser(whole, **OPTIONS), 6)
    first = Optimiser(halves, **OPTIONS)
    _losses(halves, first, 3)
    second = Optimiser(halves, **OPTIONS)
    second.load_state_dict(first.state_dict())
    _losses(halves, second, 3)
    for one, other in zip(whole.parameters(), halves.parameters(), strict=True):
        assert torch.equal(one, other)


def test_kernels_that_lie_otherwise_are_refused() -> None:
    network = nn.Sequential(*[nn.Conv2d(4, 4, 3) for _ in range(3)])
    with pytest.raises(ValueError, match="channels last"):
        Optimiser(network, **OPTIONS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 40), (40, 6)])
def test_muon_changes_every_direction_alike(shape: tuple[int, int], dtype: torch.dtype) -> None:
    matrix = nn.Parameter(torch.zeros(shape))
    matrix.grad = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    Muon([matrix], lr=1.0, weight_decay=0.0, dtype=dtype).step()
    directions = torch.linalg.svdvals(matrix.detach()) / (0.2 * 40**0.5)
    assert directions.min() > 0.6 and directions.max() < 1.3


@pytest.mark.skipif(TRAINING_DTYPE is torch.float32, reason="torch's Muon is in bfloat16")
def test_muon_in_bfloat16_is_torchs_to_the_last_bit() -> None:
    chance = torch.Generator().manual_seed(4)
    start = torch.randn(24, 50, generator=chance)
    own, torchs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    options: Any = {"lr": 0.02, "weight_decay": 0.05}
    ours = Muon([own], **options, dtype=torch.bfloat16)
    theirs = torch.optim.Muon([torchs], **options, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        own.grad = torchs.grad = torch.randn(24, 50, generator=chance)
        ours.step()
        theirs.step()
    assert torch.equal(own, torchs) and not torch.equal(own, start)
    theirs.load_state_dict(ours.state_dict())
