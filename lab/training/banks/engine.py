"""The service's own way through an image, with features in the place of what the heads say.

A bank has to hold what a head will be given later, so it is the service's encoder that looks: only
its engine is another one, which pools the backbone's maps and says nothing about them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from common.geometry import Box
from lab.training.pictures.photos import Pixels
from worker.models.kinds import KIND_SHARE
from worker.models.onepass.detecting import LARGE_ANCHORS, SMALL_ANCHORS
from worker.models.onepass.encoder import OnePassEncoder
from worker.models.onepass.engine import DEEP_GRID, FINE_GRID, Floats, Seen
from worker.models.onepass.heads import DEEP, FINE, KIND_SAMPLES, pooled

FINE_SHAPE = (sum(FINE), FINE_GRID, FINE_GRID)
DEEP_SHAPE = (DEEP, DEEP_GRID, DEEP_GRID)
NOTHING = -20.0
"""What cells say, as logits, where nothing is detected."""


class PoolingEngine:
    """An `Engine` whose `things` are pooled maps, flattened, and whose `kinds` the mean of cells.

    The backbone runs in ONNX Runtime on one thread: four times as fast as torch, and processes
    beside each other take the other cores.
    """

    device, precision = "cpu", "float32"

    def __init__(self, graphs: Path) -> None:
        """Load what `lab.training.backbone.write_graphs` wrote."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        self._fine, self._deep = (
            onnxruntime.InferenceSession(
                str(graphs / f"{name}.onnx"), options, providers=["CPUExecutionProvider"]
            )
            for name in ("fine", "deep")
        )

    def fine(self, pixels: Pixels) -> tuple[Floats, Floats, Floats]:
        """Return the backbone's maps at strides 4, 8 and 16, (channels, rows, columns)."""
        feed: Any = {"pixels": np.ascontiguousarray(pixels)}
        fourth, eighth, sixteenth = self._fine.run(None, feed)
        return fourth[0], eighth[0], sixteenth[0]

    def see(self, pixels: Pixels) -> Seen:
        """Return all three maps at stride 8 as `things`, in the order of `FINE`."""
        fourth, eighth, sixteenth = (torch.from_numpy(maps)[None] for maps in self.fine(pixels))
        coarse = F.interpolate(sixteenth, scale_factor=2.0, mode="bilinear")
        things = torch.cat([F.avg_pool2d(fourth, 2), eighth, coarse], 1)[0]
        said = (
            np.full((5 * len(anchors), *maps.shape[2:]), NOTHING, np.float32)
            for anchors, maps in ((LARGE_ANCHORS, sixteenth), (SMALL_ANCHORS, eighth))
        )
        return Seen(things.numpy(), sixteenth[0].numpy(), *said)

    def deep(self, sixteenth: Floats) -> Floats:
        """Return the backbone's map at stride 32."""
        feed: Any = {"sixteenth": sixteenth[None]}
        cells: Floats = self._deep.run(None, feed)[0][0]
        return cells

    def things(self, fine: Floats, deep: Floats, fine_boxes: Floats, deep_boxes: Floats) -> Floats:
        """Return both maps pooled, flattened, one after the other: (N, numbers)."""
        parts = (_pooled(fine, fine_boxes, FINE_GRID), _pooled(deep, deep_boxes, DEEP_GRID))
        return torch.cat([part.flatten(1) for part in parts], 1).numpy()

    def kinds(self, deep: Floats, boxes: Floats) -> Floats:
        """Return the mean of the cells in each box, (N, DEEP)."""
        return _pooled(deep, boxes, 1, samples=KIND_SAMPLES).mean((2, 3)).numpy()


@dataclass(frozen=True)
class Features:
    """What heads are given of N boxes: `fine` (N, *FINE_SHAPE), `deep` (N, *DEEP_SHAPE) for the
    thing head, `kind` (N, DEEP) for the kind head; float16."""

    fine: NDArray[np.float16]
    deep: NDArray[np.float16]
    kind: NDArray[np.float16]


class Reader:
    """Reads features as the service reads embeddings: off an image's maps, or of a crop alone."""

    def __init__(self, graphs: Path) -> None:
        self.engine = PoolingEngine(graphs)
        self._fine_numbers = math.prod(FINE_SHAPE)
        self._numbers = self._fine_numbers + math.prod(DEEP_SHAPE)
        self._encoder = OnePassEncoder(self.engine, name="features", dims=(self._numbers, DEEP))

    def boxes(self, photo: Pixels, boxes: NDArray[np.float64], factor: float) -> Features:
        """Return what is in boxes (N, 4) of a photo whose finest scale is `factor` its own."""
        height, width = photo.shape[:2]
        pixels = max(1, round(width * height * factor**2))
        maps = self._encoder.maps(Image.fromarray(photo), pixels=pixels)
        return self._split(maps.embeddings([Box(*box) for box in boxes.tolist()]))

    def crops(self, crops: Sequence[Pixels]) -> Features:
        """Return what crops show, each seen alone."""
        return self._split(self._encoder.encode_images([Image.fromarray(crop) for crop in crops]))

    def _split(self, rows: Floats) -> Features:
        """Undo what an embedding's parts are weighted with, and take them apart."""
        things = rows[:, : self._numbers] / math.sqrt(1 - KIND_SHARE)
        kind = rows[:, self._numbers :] / math.sqrt(KIND_SHARE)
        fine = things[:, : self._fine_numbers].reshape(-1, *FINE_SHAPE)
        deep = things[:, self._fine_numbers :].reshape(-1, *DEEP_SHAPE)
        return Features(*(part.astype(np.float16) for part in (fine, deep, kind)))


def _pooled(maps: Floats, boxes: Floats, grid: int, *, samples: int = 2) -> torch.Tensor:
    places = torch.from_numpy(boxes).float()
    return pooled(torch.from_numpy(maps)[None], places, grid, samples=samples)
