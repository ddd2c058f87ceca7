"""The CLIP encoder on a GPU: boxes are cut out there, and batches are as large as its memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from common.geometry import Box
from worker.models.base import Embeddings
from worker.models.batches import map_batches
from worker.models.clip import ClipEncoder
from worker.models.device import sent
from worker.models.pixels import to_tensor

log = logging.getLogger(__name__)

TRIED, MOST = 16, 1024
"""Crops by which the memory of one is measured, and the most that go through together."""
MEMORY_SHARE = 0.25
"""Share of the free memory that a batch may take; a detector, and others, are there as well."""


class GpuClipEncoder(ClipEncoder):
    """Embeds boxes of images, each image sent once; a `BoxEncoder`.

    The processor of a computer cuts and resizes some hundred crops a second and core; a GPU
    embeds thousands.
    """

    def __init__(self, folder: Path, device: torch.device, **how: Any) -> None:
        """See ClipEncoder; `batch_size` is the least."""
        super().__init__(folder, device, **how)
        if device.type == "cuda":
            self._batch_size = max(self._batch_size, self._fitting())
            log.info("crops go through the encoder in batches of %d", self._batch_size)

    def encode_boxes(self, boxes: Sequence[tuple[Image.Image, Box]]) -> Embeddings:
        """Return float32 embeddings of boxes of RGB images, shape (N, dim), L2 norm 1.

        Nothing is waited for before the last batch is on its way. Raises DeviceUnavailable.
        """
        rows: list[torch.Tensor] = []
        for _, pairs in groupby(boxes, key=lambda pair: id(pair[0])):
            own = list(pairs)
            pixels = sent(to_tensor(own[0][0]), self._device)
            run = partial(self._of_boxes, pixels)
            # Boxes of a size are resized together: let a batch have all of one.
            order = sorted(range(len(own)), key=lambda n: (own[n][1].width, own[n][1].height))
            found = map_batches(run, [own[n][1] for n in order], self._batch_size)
            back = sorted(range(len(own)), key=order.__getitem__)
            rows.append(torch.stack([found[n] for n in back]))
        if not rows:
            return np.zeros((0, self.dim), np.float32)
        whole = torch.nn.functional.normalize(torch.cat(rows).float(), dim=-1)
        embeddings: Embeddings = whole.cpu().numpy()
        return embeddings

    def _of_boxes(self, pixels: torch.Tensor, boxes: Sequence[Box]) -> list[torch.Tensor]:
        return list(self._projected(self._pixels.of_boxes(pixels, boxes)))

    def _fitting(self) -> int:
        """Return how many crops fit into a share of the memory that is free, a power of two."""
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        before = torch.cuda.memory_allocated(self._device)
        self.encode_images([Image.new("RGB", (224, 224))] * TRIED)
        each = (torch.cuda.max_memory_allocated(self._device) - before) / TRIED
        fit = max(1, min(MOST, int(MEMORY_SHARE * free / max(each, 1))))
        return 1 << (fit.bit_length() - 1)
