"""The kind tower: a small convolutional network that says what a crop is like, not which it is.

An encoder that was taught to tell one mug from another does not know that both are mugs. The tower
was taught what a detector of many kinds makes of crops (`lab.training.kind_tower`); beside an
encoder (`worker.models.with_kinds`) it finds what is of the same kind.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from common.errors import InvalidModel
from worker.models.base import Embeddings
from worker.models.batches import map_batches
from worker.models.device import autocast, to_inference
from worker.models.files import sha256_of
from worker.models.precision import resolve_precision
from worker.models.yolov5_import import import_yolov5

SIDE_PX = 96
"""Crops are squashed to squares of this side, large or small: all are equally sharp then."""
SEEN_PX = 128
"""The tower sees them enlarged to this: in 4 x 4 cells, not in 3 x 3."""
WIDTH = 256
"""Channels of the map before the last layer, of which each cell covers 32 x 32 pixels."""
_LAYERS = 10
"""Those of YOLOv5's backbone, up to its pooling pyramid."""
_BACKBONE_WIDTH = 512
"""Channels of the backbone's last map."""


class KindTower(nn.Module):
    """YOLOv5s's backbone, one block more at its last map, and a linear layer over each cell."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        package = import_yolov5()
        whole = package.DetectionModel(Path(package.__file__).parent / "yolov5s.yaml", ch=3, nc=1)
        self.backbone = nn.Sequential(*list(whole.model[:_LAYERS]))
        self.block = package.C3(_BACKBONE_WIDTH, WIDTH, shortcut=False)
        self.head = nn.Conv2d(WIDTH, dim, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, dim, rows, columns) floats of RGB pixels (N, 3, height, width), 0..1.

        The mean over the cells is what the whole crop is like.
        """
        cells: torch.Tensor = self.head(self.block(self.backbone(pixels)))
        return cells


class KindEncoder:
    """Embeds what kind of thing crops show. Safe to use from several threads, which take turns."""

    def __init__(
        self,
        path: Path,
        device: torch.device,
        *,
        batch_size: int = 64,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Load a tower from float16 safetensors; without a `dtype` it runs in that of `auto`.

        Raises InvalidModel where the file holds none.
        """
        self._device = device
        self._dtype = dtype or resolve_precision("auto", device).dtype
        self._batch_size = batch_size
        self._lock = threading.Lock()
        try:
            tensors = load_file(path)
            self.dim = len(tensors["head.weight"])
            tower = KindTower(self.dim)
            tower.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except Exception as exc:  # broken files raise anything
            raise InvalidModel(f"{path} is no kind tower: {exc}") from exc
        self.id = sha256_of([path])[:12]
        _fuse(tower.eval())
        self._tower = to_inference(tower, device, self._dtype).to(memory_format=torch.channels_last)

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images of any sizes, shape (N, dim), L2 norm 1.

        Raises DeviceUnavailable where the GPU has too little memory for a single image.
        """
        rows = map_batches(self._batch, images, self._batch_size)
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    def _batch(self, images: Sequence[Image.Image]) -> list[Embeddings]:
        squares = np.stack([_seen(np.asarray(image)) for image in images])
        pixels = torch.from_numpy(squares).to(self._device).permute(0, 3, 1, 2)
        with self._lock, torch.inference_mode(), autocast(self._device, self._dtype):
            cells = self._tower(pixels.to(self._dtype) / 255)
        return list(F.normalize(cells.float().mean((2, 3)), dim=1).cpu().numpy())


def _seen(pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the pixels in a square, enlarged, as in training: averaged going down, else cubic."""
    height, width = pixels.shape[:2]
    down = width > SIDE_PX and height > SIDE_PX
    how = cv2.INTER_AREA if down else cv2.INTER_CUBIC
    square = cv2.resize(pixels, (SIDE_PX, SIDE_PX), interpolation=how)
    return cv2.resize(square, (SEEN_PX, SEEN_PX), interpolation=cv2.INTER_LINEAR)


def _fuse(tower: nn.Module) -> None:
    """Fold each normalisation into the convolution before it, as the package does for itself."""
    module: Any
    for module in tower.modules():
        if hasattr(module, "bn"):
            module.conv = nn.utils.fuse_conv_bn_eval(module.conv, module.bn)
            del module.bn
            module.forward = module.forward_fuse
