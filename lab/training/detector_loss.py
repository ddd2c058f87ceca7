"""What the detector is trained to do: say what its teacher says, and find the cut-outs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

MATTERS = 0.05
"""Cells whose objectness should be less than this teach neither a box nor a class."""
NEAR_ANCHOR = 4.0
"""A box is an anchor's when neither side differs by more than this factor (YOLOv5's rule)."""
BALANCE = (4.0, 1.0, 0.4)
"""Weights of the three strides' objectness (YOLOv5's)."""
CUTOUT_OBJECTNESS = 0.9


@dataclass
class Targets:
    """What one stride's map should say, for (batch, anchors, rows, columns) cells.

    `boxes` are (..., 4) corners in pixels. Of most cells only the objectness is ever read, so the
    classes stay what the teacher said, `said`, until `classes` of the cells that matter are asked
    for; where `unnamed`, a cut-out took the cell.
    """

    objectness: torch.Tensor
    boxes: torch.Tensor
    said: torch.Tensor
    unnamed: torch.Tensor

    def classes(self, which: torch.Tensor) -> torch.Tensor:
        """Return (cells, classes + 1) 0..1 of the cells in a mask; the last class is "object".

        The teacher's doubt goes to it: what it half takes for a cat is half an object.
        """
        named = self.said[which][:, 5:].float().sigmoid()
        named = named * ~self.unnamed[which][:, None]
        return torch.cat((named, 1 - named.amax(-1, keepdim=True)), -1)


@dataclass(frozen=True)
class Head:
    """The shape of the maps: strides, and anchors (strides, anchors, 2) in pixels."""

    strides: Sequence[int]
    anchors_px: torch.Tensor

    def cells(self, raw: torch.Tensor) -> torch.Tensor:
        """Return (batch, anchors, rows, columns, 5 + classes) logits, a view of a raw map."""
        batch, channels, rows, columns = raw.shape
        anchors = self.anchors_px.shape[1]
        split = raw.view(batch, anchors, channels // anchors, rows, columns)
        return split.permute(0, 1, 3, 4, 2)

    def corners(self, cells: torch.Tensor, level: int) -> torch.Tensor:
        """Return each cell's box, (..., 4) corners in pixels (YOLOv5's formulas since 6.0)."""
        rows, columns = cells.shape[2:4]
        stride, anchors = self.strides[level], self.anchors_px[level].to(cells.device)
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        grid = torch.stack((x, y), -1).to(cells.device)
        values = cells[..., :4].float().sigmoid()
        centre = (values[..., :2] * 2 - 0.5 + grid) * stride
        half = (values[..., 2:] * 2) ** 2 * anchors[:, None, None] / 2
        return torch.cat((centre - half, centre + half), -1)


def teacher_targets(head: Head, maps: Sequence[torch.Tensor]) -> list[Targets]:
    """Turn the teacher's raw maps into targets with one class more."""
    targets = []
    for level, raw in enumerate(maps):
        cells = head.cells(raw)
        objectness = cells[..., 4].float().sigmoid()
        nothing_laid = torch.zeros_like(objectness, dtype=torch.bool)
        targets.append(Targets(objectness, head.corners(cells, level), cells, nothing_laid))
    return targets


def add_cutouts(head: Head, targets: Sequence[Targets], boxes: torch.Tensor) -> None:
    """Write the cut-outs' boxes, (boxes, 5) of picture and corners, over what the teacher says.

    Each goes to the anchors of its size, at its centre's cell and the two nearest ones.
    """
    size = boxes[:, 3:5] - boxes[:, 1:3]
    centre = (boxes[:, 1:3] + boxes[:, 3:5]) / 2
    for level, (target, stride) in enumerate(zip(targets, head.strides, strict=True)):
        ratio = size[:, None] / head.anchors_px[level][None]
        fits = torch.maximum(ratio, 1 / ratio).amax(-1) < NEAR_ANCHOR
        rows, columns = target.objectness.shape[2:]
        place = centre / stride
        nearest = torch.where(place % 1 < 0.5, -1, 1)
        for dx, dy in ((0, 0), (1, 0), (0, 1)):
            column = (place[:, 0].long() + dx * nearest[:, 0]).clamp(0, columns - 1)
            row = (place[:, 1].long() + dy * nearest[:, 1]).clamp(0, rows - 1)
            box, anchor = fits.nonzero(as_tuple=True)
            at = (boxes[box, 0].long(), anchor, row[box], column[box])
            target.objectness[at] = target.objectness[at].clamp(min=CUTOUT_OBJECTNESS)
            target.boxes[at] = boxes[box, 1:5]
            target.unnamed[at] = True


def detection_loss(
    head: Head, maps: Sequence[torch.Tensor], targets: Sequence[Targets]
) -> dict[str, torch.Tensor]:
    """Return the three parts of the loss, in YOLOv5's proportions.

    Boxes and classes are weighted by the objectness that the cell should have: Mehta and Ozturk
    2018, "Object detection at 200 frames per second". Boxes are compared by generalised IoU: the
    complete one's aspect term has no finite gradient at a side of nothing.
    """
    device = maps[0].device
    total = {name: torch.zeros((), device=device) for name in ("box", "object", "class")}
    weight = torch.zeros((), device=device)
    for level, (raw, target) in enumerate(zip(maps, targets, strict=True)):
        cells = head.cells(raw)
        bce = F.binary_cross_entropy_with_logits(cells[..., 4].float(), target.objectness)
        total["object"] = total["object"] + 5 * BALANCE[level] * bce
        matters = target.objectness > MATTERS
        share = target.objectness[matters]
        weight = weight + share.sum()
        boxes = head.corners(cells, level)[matters]
        off = generalized_box_iou_loss(boxes, target.boxes[matters])
        total["box"] = total["box"] + (share * off).sum()
        classes = F.binary_cross_entropy_with_logits(
            cells[matters][:, 5:].float(), target.classes(matters), reduction="none"
        )
        total["class"] = total["class"] + 10 * (share * classes.mean(-1)).sum()
    weight = weight.clamp(min=1)
    return {
        "box": total["box"] / weight,
        "object": total["object"],
        "class": total["class"] / weight,
    }
