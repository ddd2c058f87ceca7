"""YOLOv5's arithmetic around the network: letterbox, decoding, suppression. No state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torchvision.ops import batched_nms

from worker.models.base import Detection
from worker.models.checkpoint import SIDE_PX
from worker.models.pixels import resize, to_tensor

GREY = 114
MAX_CANDIDATES = 4096
"""Most boxes of an image that enter suppression, whose time grows with their square."""
MAX_DETECTIONS = 600
IOU_THRESHOLD = 0.6


@dataclass(frozen=True)
class Letterbox:
    """Where an image of width x height pixels lies in the square that the network sees."""

    width: int
    height: int
    left: int
    top: int
    inner_width: int
    inner_height: int

    @classmethod
    def of(cls, width: int, height: int, side_px: int = SIDE_PX) -> Letterbox:
        """Scale the longer side to the square's, keep the aspect, and centre the rest."""
        gain = side_px / max(width, height)
        inner_width = max(1, round(width * gain))
        inner_height = max(1, round(height * gain))
        left, top = (side_px - inner_width) // 2, (side_px - inner_height) // 2
        return cls(width, height, left, top, inner_width, inner_height)

    def to_image(self, boxes: torch.Tensor) -> torch.Tensor:
        """Map (N, 4) corners from the square to the image's pixels, clipped to the image."""
        offset = boxes.new_tensor([self.left, self.top] * 2)
        scale = boxes.new_tensor(
            [self.width / self.inner_width, self.height / self.inner_height] * 2
        )
        limit = boxes.new_tensor([self.width, self.height] * 2)
        return ((boxes - offset) * scale).clamp(min=0).minimum(limit)


def letterboxed(
    images: Sequence[Image.Image], side_px: int = SIDE_PX
) -> tuple[torch.Tensor, list[Letterbox]]:
    """Return RGB images as (N, 3, side, side) uint8 on grey, and where each lies in its square."""
    boxes = [Letterbox.of(*image.size, side_px) for image in images]
    # Channels last: the layout that Pillow's pixels have and that convolutions are fastest in.
    batch = torch.full((len(images), side_px, side_px, 3), GREY, dtype=torch.uint8)
    batch = batch.permute(0, 3, 1, 2)
    for square, image, box in zip(batch, images, boxes, strict=True):
        inner = resize(
            to_tensor(image), box.inner_height, box.inner_width, Image.Resampling.BILINEAR
        )
        bottom, right = box.top + box.inner_height, box.left + box.inner_width
        square[:, box.top : bottom, box.left : right] = inner
    return batch, boxes


@dataclass(frozen=True)
class Candidates:
    """Boxes before suppression: each one's image, corners in the square, score and class."""

    image: torch.Tensor
    corners: torch.Tensor
    confidence: torch.Tensor
    label: torch.Tensor


def decode(
    maps: Sequence[torch.Tensor],
    anchors_px: torch.Tensor,
    strides: Sequence[int],
    confidence_threshold: float,
) -> Candidates:
    """Return the candidates at or above the threshold, on the CPU.

    `maps` are the network's raw (batch, anchors * (5 + classes), rows, columns). The formulas
    are those of YOLOv5 since release 6.0 (`Detect.forward`): the centre reaches half a cell
    beyond its cell, the size is up to 4 times the anchor's, and the confidence is objectness
    times the best class's score.
    """
    images, corners, scores, labels = [], [], [], []
    for raw, anchors, stride in zip(maps, anchors_px, strides, strict=True):
        batch, channels, height, width = raw.shape
        cells = raw.view(batch, len(anchors), channels // len(anchors), height, width)
        cells = cells.permute(0, 1, 3, 4, 2)
        likely = cells[..., 4].float().sigmoid() >= confidence_threshold
        image, anchor, row, column = likely.nonzero(as_tuple=True)
        values = cells[image, anchor, row, column].float().sigmoid()
        centre = (values[:, :2] * 2 - 0.5 + torch.stack((column, row), 1)) * stride
        half = (values[:, 2:4] * 2) ** 2 * anchors.to(raw.device)[anchor] / 2
        best, label = values[:, 5:].max(1)
        images.append(image)
        corners.append(torch.cat((centre - half, centre + half), 1))
        scores.append(values[:, 4] * best)
        labels.append(label)
    score = torch.cat(scores).cpu()
    # In double, as callers compare: float32 0.7 is less than 0.7.
    keep = score.double() >= confidence_threshold
    return Candidates(
        torch.cat(images).cpu()[keep],
        torch.cat(corners).cpu()[keep],
        score[keep],
        torch.cat(labels).cpu()[keep],
    )


def suppress(
    found: Candidates, image: int, box: Letterbox, names: Sequence[str]
) -> list[Detection]:
    """Return one image's detections, most confident first, without near-duplicates of a class."""
    mine = (found.image == image).nonzero().squeeze(1)
    order = found.confidence[mine].sort(descending=True, stable=True).indices[:MAX_CANDIDATES]
    mine = mine[order]
    corners, score, label = found.corners[mine], found.confidence[mine], found.label[mine]
    kept = batched_nms(corners, score, label, IOU_THRESHOLD)[:MAX_DETECTIONS]
    detections = [
        Detection(x1, y1, x2, y2, names[index], confidence)
        for (x1, y1, x2, y2), index, confidence in zip(
            box.to_image(corners[kept]).tolist(),
            label[kept].tolist(),
            score[kept].tolist(),
            strict=True,
        )
    ]
    # A box may lie wholly in the grey margin. The order of ties must not depend on the device.
    visible = [d for d in detections if d.x1 < d.x2 and d.y1 < d.y2]
    return sorted(visible, key=lambda d: (-d.confidence, d.x1, d.y1, d.x2, d.y2, d.label))
