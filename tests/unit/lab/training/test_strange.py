"""Strange sights: as many as asked for, made of what is there, the same from the same seed."""

from __future__ import annotations

import pytest
import torch

from lab.training.strange import Shares, strange

PIXELS = torch.rand(400, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def _changed(shares: Shares, seed: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the pixels, and in which views some of them are not what they were."""
    seen = strange(PIXELS, shares, seed)
    assert seen.min() >= 0 and seen.max() <= 1
    return seen, (seen != PIXELS).flatten(1).any(1)


def test_without_shares_nothing_changes() -> None:
    seen, _ = _changed(Shares())
    assert torch.equal(seen, PIXELS)


def test_swapped_colours_are_all_still_there() -> None:
    seen, changed = _changed(Shares(swapped=0.25))
    assert 0.12 < changed.float().mean() < 0.3  # one order in six is the usual one
    assert torch.equal(seen.sort(1).values, PIXELS.sort(1).values)


def test_another_view_shines_through_at_most_by_half() -> None:
    seen, changed = _changed(Shares(mixed=0.25))
    assert 0.18 < changed.float().mean() < 0.32
    assert (seen - PIXELS).abs().max() <= 0.5


def test_a_patch_is_a_rectangle_of_another_view() -> None:
    seen, changed = _changed(Shares(patched=0.25))
    assert 0.18 < changed.float().mean() < 0.32
    for view, own in zip(seen[changed], PIXELS[changed], strict=True):
        where = (view != own).all(0)
        assert torch.equal(where, where.any(1)[:, None] & where.any(0)[None])
        assert any(torch.equal(view[:, where], other[:, where]) for other in PIXELS)


@pytest.mark.parametrize("shares", [Shares(swapped=1.0, mixed=0.5, patched=0.5)])
def test_one_seed_one_sight(shares: Shares) -> None:
    assert torch.equal(strange(PIXELS, shares, 5), strange(PIXELS, shares, 5))
    assert not torch.equal(strange(PIXELS, shares, 5), strange(PIXELS, shares, 6))
