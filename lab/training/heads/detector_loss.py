"""What the detector head is trained to say of each cell. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from worker.models.onepass.detecting import LARGE_ANCHORS, SMALL_ANCHORS

FITS, FITS_BESIDE_BEST, FITS_AT_ALL = 2.2, 1.5, 3.8
"""A box is an anchor's when neither side differs by more than the first of these factors, and by no
more than the second times what its best anchor does. One that fits none is its best anchor's up to
the third."""


@dataclass(frozen=True)
class Level:
    """One of the maps: its cells, its anchors, and the boxes it is to find (root of the area)."""

    cell_px: int
    anchors: tuple[tuple[int, int], ...]
    least_px: float
    most_px: float


LARGE = Level(16, LARGE_ANCHORS, 34, 190)
SMALL = Level(8, SMALL_ANCHORS, 9, 56)


@dataclass(frozen=True)
class Targets:
    """Which cells are to find which labels: (M,) numbers of canvas, anchor, row, column, label."""

    canvas: torch.Tensor
    anchor: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor
    label: torch.Tensor


def level_losses(
    said: torch.Tensor, found: torch.Tensor, level: Level
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how far the boxes are off, and how wrong the confidences.

    `said` (N, anchors * 5, rows, columns); `found` (boxes, 6): canvas, corners in pixels, sureness.
    Boxes are compared by generalised IoU, weighted by sureness. A cell's confidence is to be the
    sureness times the IoU of its box; cells that hold nothing count little unless they say
    otherwise (after Lin et al. 2017, "Focal loss").
    """
    canvases, _, rows, columns = said.shape
    cells = said.view(canvases, len(level.anchors), 5, rows, columns).permute(0, 1, 3, 4, 2)
    targets = targets_of(found, level, rows, columns)
    at = (targets.canvas, targets.anchor, targets.row, targets.column)
    wanted, sure = found[targets.label, 1:5], found[targets.label, 5]
    boxes = _corners(cells[at], targets, level)
    off = generalized_box_iou_loss(boxes, wanted)
    box_loss = (off * sure).sum() / sure.sum().clamp(min=1e-6)
    logits = cells[..., 4]
    overlap = _iou(boxes.detach(), wanted)
    objectness = torch.zeros(logits.shape, device=logits.device)
    flat = ((at[0] * len(level.anchors) + at[1]) * rows + at[2]) * columns + at[3]
    objectness.view(-1).scatter_reduce_(0, flat, sure * overlap, "amax")
    said_so = logits.detach().sigmoid()
    weight = torch.where(objectness > 0, 1.0, 0.75 * said_so**1.5 + 0.02)
    wrong = F.binary_cross_entropy_with_logits(logits, objectness, reduction="none")
    return box_loss, (wrong * weight).sum() / (objectness.sum() + 5)


def targets_of(found: torch.Tensor, level: Level, rows: int, columns: int) -> Targets:
    """Return the cells that are to find each label: the one at its centre and the two nearest."""
    sizes = found[:, 3:5] - found[:, 1:3]
    side = sizes.clamp(min=1e-3).prod(1).sqrt()
    centres = (found[:, 1:3] + found[:, 3:5]) / 2 / level.cell_px
    fits = _fits(sizes, level) & ((side >= level.least_px) & (side <= level.most_px))[:, None]
    label, anchor = fits.nonzero(as_tuple=True)
    whole = centres.floor()
    beside = torch.where(centres - whole > 0.5, 1, -1)
    cells = torch.cat(
        [whole[label] + beside[label] * torch.tensor(way).to(found) for way in _WAYS]
    ).long()
    label, anchor = label.repeat(len(_WAYS)), anchor.repeat(len(_WAYS))
    column, row = cells.T
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    label, row, column = label[inside], row[inside], column[inside]
    return Targets(found[label, 0].long(), anchor[inside], row, column, label)


_WAYS = ((0, 0), (1, 0), (0, 1))


def _fits(sizes: torch.Tensor, level: Level) -> torch.Tensor:
    """Return which anchors are to find boxes of these sizes (N, 2): (N, anchors) bool."""
    ratio = sizes.clamp(min=1e-3)[:, None] / torch.tensor(level.anchors).to(sizes)
    worst = torch.maximum(ratio, 1 / ratio).amax(2)
    best = worst.amin(1, keepdim=True)
    fits = (worst < FITS) & (worst < FITS_BESIDE_BEST * best)
    lone = (worst == best) & (best < FITS_AT_ALL) & ~fits.any(1, keepdim=True)
    return fits | lone


def _corners(said: torch.Tensor, targets: Targets, level: Level) -> torch.Tensor:
    """Return the boxes that cells claim, (M, 4), as the service reads them."""
    claims = said[:, :4].sigmoid()
    cells = torch.stack((targets.column, targets.row), 1)
    centres = (claims[:, :2] * 2 - 0.5 + cells) * level.cell_px
    anchors = torch.tensor(level.anchors).to(said)[targets.anchor]
    half = anchors * (claims[:, 2:] * 2) ** 2 / 2
    return torch.cat((centres - half, centres + half), 1)


def _iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the intersection over union of each box with the one of the same number, (M,)."""
    shared = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    both = shared.clamp(min=0).prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (a, b)]
    return both / (areas[0] + areas[1] - both).clamp(min=1e-6)
