"""The heads in torch: what boxes are read off, and where things are.

`Network` is the whole: the backbone, whose weights are public, and three heads, which were made
here (`lab.training`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.ops import roi_align

from worker.models.onepass.detecting import LARGE_ANCHORS, SMALL_ANCHORS
from worker.models.onepass.engine import DEEP_GRID, FINE_GRID
from worker.models.onepass.network import Backbone

FINE = (24, 40, 112)
"""Channels of the backbone's maps at strides 4, 8 and 16."""
DEEP = 320
KIND_SAMPLES = 4
"""Places a side that a kind is the mean of."""


@dataclass(frozen=True)
class Sizes:
    """Widths of the heads, and how many numbers an embedding has of thing and kind."""

    projected: int = 64
    context: int = 48
    hidden: int = 512
    thing: int = 128
    kind: int = 128
    large: int = 96
    small: int = 48

    def as_dict(self) -> dict[str, Any]:
        """Return the sizes as JSON carries them."""
        return asdict(self)


class ThingHead(nn.Module):
    """Says which thing a box shows, from the maps at strides 8 and 32."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.near = nn.Conv2d(FINE[0] + FINE[1], sizes.projected, 1)
        self.far = nn.Conv2d(FINE[2], sizes.projected, 1, bias=False)
        self.context = nn.Conv2d(DEEP, sizes.context, 1)
        pooled = sizes.projected * FINE_GRID**2 + sizes.context * DEEP_GRID**2
        self.hidden = nn.Linear(pooled, sizes.hidden)
        self.out = nn.Linear(sizes.hidden, sizes.thing)
        self.direct = nn.Linear(pooled, sizes.thing, bias=False)

    def forward(self, fine: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Return (N, thing) of L2 norm 1, of both projected maps pooled (N, channels, side, side).

        Projecting and pooling may change places, and a map has fewer cells than its boxes.
        """
        cells = torch.cat([fine.flatten(1), context.flatten(1)], 1)
        return F.normalize(self.out(F.gelu(self.hidden(cells))) + self.direct(cells), dim=1)


class KindHead(nn.Module):
    """Says which kind of thing a box shows: the axes along which the map at stride 32 says most."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.axes = nn.Linear(DEEP, sizes.kind, bias=False)

    def forward(self, deep: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Return (N, kind) of L2 norm 1, of boxes (N, 4) in cells of the map at stride 32.

        Projecting and pooling may change places, and a map has fewer cells than its boxes.
        """
        along = self.axes(deep.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return F.normalize(pooled(along, boxes, 1, samples=KIND_SAMPLES).flatten(1), dim=1)


class DetectorHead(nn.Module):
    """Says where things are: some 30 to 180 pixels large at stride 16, 10 to 60 at stride 8."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        large, small = sizes.large, sizes.small
        self.into_large = nn.Conv2d(FINE[2], large, 1)
        self.large_wide = nn.Conv2d(large, large, 5, padding=2, groups=large)
        self.large_mixed = nn.Conv2d(large, large, 1)
        self.large_wider = nn.Conv2d(large, large, 3, padding=1, groups=large)
        self.large_last = nn.Conv2d(large, large, 1)
        self.says_large = nn.Conv2d(large, 5 * len(LARGE_ANCHORS), 1)
        self.down = nn.Conv2d(large, small, 1)
        self.into_small = nn.Conv2d(FINE[1], small, 1)
        self.small_wide = nn.Conv2d(small, small, 5, padding=2, groups=small)
        self.small_mixed = nn.Conv2d(small, small, 1)
        self.says_small = nn.Conv2d(small, 5 * len(SMALL_ANCHORS), 1)

    def forward(
        self, eighth: torch.Tensor, sixteenth: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what cells at strides 16 and 8 say; `worker.models.onepass.detecting` reads it."""
        x = F.relu(self.into_large(sixteenth))
        x = x + F.relu(self.large_mixed(self.large_wide(x)))
        x = x + F.relu(self.large_last(self.large_wider(x)))
        y = F.relu(self.into_small(eighth) + F.interpolate(self.down(x), scale_factor=2.0))
        y = y + F.relu(self.small_mixed(self.small_wide(y)))
        return self.says_large(x), self.says_small(y)


class Network(nn.Module):
    """Backbone and heads, each part as an engine runs it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.backbone = Backbone()
        self.thing = ThingHead(sizes)
        self.kind = KindHead(sizes)
        self.detector = DetectorHead(sizes)

    def see(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return `Seen`'s maps, (1, channels, rows, columns), of uint8 (height, width, 3)."""
        fourth, eighth, sixteenth = self.backbone.fine(pixels.permute(2, 0, 1)[None].float())
        near = self.thing.near(torch.cat([F.avg_pool2d(fourth, 2), eighth], 1))
        far = F.interpolate(self.thing.far(sixteenth), scale_factor=2.0, mode="bilinear")
        return (near + far, sixteenth, *self.detector(eighth, sixteenth))

    def deep(self, sixteenth: torch.Tensor) -> torch.Tensor:
        """Return the map at stride 32, (1, 320, rows, columns)."""
        return self.backbone.deep(sixteenth)

    def context(self, deep: torch.Tensor) -> torch.Tensor:
        """Return the map of what is around things, (1, context, rows, columns), at stride 32."""
        context: torch.Tensor = self.thing.context(deep)
        return context

    def things(
        self,
        fine: torch.Tensor,
        deep: torch.Tensor,
        fine_boxes: torch.Tensor,
        deep_boxes: torch.Tensor,
    ) -> torch.Tensor:
        """Return (N, thing) of L2 norm 1, of boxes (N, 4) in cells of the maps."""
        own: torch.Tensor = self.thing(
            pooled(fine, fine_boxes, FINE_GRID),
            pooled(self.context(deep), deep_boxes, DEEP_GRID),
        )
        return own

    def kinds(self, deep: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Return (N, kind) of L2 norm 1, of boxes (N, 4) in cells of the map."""
        kinds: torch.Tensor = self.kind(deep, boxes)
        return kinds


def pooled(maps: torch.Tensor, boxes: torch.Tensor, grid: int, *, samples: int = 2) -> torch.Tensor:
    """Return what lies in each box, (N, channels, grid, grid): RoIAlign (He et al., 2017).

    Each cell of the grid is the mean of `samples` x `samples` places.
    """
    cells: torch.Tensor = roi_align(
        maps, [boxes], (grid, grid), 1.0, sampling_ratio=samples, aligned=True
    )
    return cells
