"""Sights that no photo shows, so that a network learns its teacher's eye and not these photos.

Source: Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Shares:
    """Of views, 0..1, that each change befalls; one view may have several."""

    swapped: float = 0.0
    """Red, green and blue change places."""
    mixed: float = 0.0
    """Another view shines through."""
    patched: float = 0.0
    """A rectangle shows what another view has there."""


def strange(pixels: torch.Tensor, shares: Shares, seed: int) -> torch.Tensor:
    """Return pixels (N, 3, side, side), 0..1, with strange sights among them.

    What the teacher sees in them is what is to be seen in them, so anything is fair. The numbers
    are drawn where the pixels are: those of a GPU differ from a CPU's.
    """
    draw = _Draws(pixels, seed)
    pixels = pixels[draw.rows[:, None], draw.orders(shares.swapped)]
    amount = torch.where(draw.some(shares.mixed), draw.uniform(0.1, 0.5), 0.0)
    pixels = torch.lerp(pixels, pixels[draw.others()], amount.view(-1, 1, 1, 1))
    patched = draw.rectangles(shares.patched)
    return torch.where(patched[:, None], pixels[draw.others()], pixels)


class _Draws:
    """Random numbers for each of the views, all from one seed."""

    def __init__(self, pixels: torch.Tensor, seed: int) -> None:
        self._count, self._side, self._device = len(pixels), pixels.shape[-1], pixels.device
        self._generator = torch.Generator(pixels.device).manual_seed(seed)
        self.rows = torch.arange(self._count, device=pixels.device)

    def uniform(self, low: float, high: float, columns: int = 1) -> torch.Tensor:
        shape = (self._count, columns)
        draws = torch.rand(shape, generator=self._generator, device=self._device)
        return low + (high - low) * draws

    def some(self, share: float) -> torch.Tensor:
        return self.uniform(0, 1) < share

    def others(self) -> torch.Tensor:
        return (self.uniform(0, 1)[:, 0] * self._count).long().clamp(max=self._count - 1)

    def orders(self, share: float) -> torch.Tensor:
        """Return which colour goes where, (N, 3): in a `share` not the usual one."""
        usual = torch.arange(3, device=self._device)
        return torch.where(self.some(share), self.uniform(0, 1, 3).argsort(1), usual)

    def rectangles(self, share: float) -> torch.Tensor:
        """Return where they lie, (N, side, side) bool: a `share` of the views have one."""
        sizes = torch.where(self.some(share), self.uniform(0.3, 0.9, 2), 0.0)
        starts = self.uniform(0, 1, 2) * (1 - sizes)
        at = (torch.arange(self._side, device=self._device) + 0.5) / self._side
        inside = (at >= starts[:, :, None]) & (at < (starts + sizes)[:, :, None])
        return inside[:, 0, :, None] & inside[:, 1, None, :]
