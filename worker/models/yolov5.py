"""The YOLOv5 detector."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from common.errors import InvalidModel
from worker.models.base import Detection
from worker.models.batches import map_batches
from worker.models.checkpoint import Checkpoint, load_checkpoint
from worker.models.device import autocast, sent, to_inference
from worker.models.hub import download_file
from worker.models.precision import resolve_precision
from worker.models.yolov5_boxes import decode, letterboxed, suppress
from worker.models.yolov5_network import SIZES, STRIDES, build_network


class YoloV5Detector:
    """Finds objects with a YOLOv5 network of release 6.0 or later; a `Detector`.

    Each image is scaled into a square of its own, of 640 pixels or what the weights ask for, so
    that its detections do not depend on its neighbours in a batch. Suppression is within a class,
    at an overlap of 0.6; an image has at most 600 detections. Safe to use from several threads,
    which take turns.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        *,
        batch_size: int = 8,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Build the network on the device; without a `dtype` it runs in that of `auto`.

        Raises InvalidModel where the checkpoint is of an unsupported architecture.
        """
        self.id = f"yolov5:{checkpoint.sha256[:12]}"
        self.side_px = checkpoint.side_px
        self._device = device
        self._dtype = dtype or resolve_precision("auto", device).dtype
        self._batch_size = batch_size
        self._names = checkpoint.names
        network, self._anchors_px = build_network(checkpoint)
        network = network.to(memory_format=torch.channels_last)
        self._network = to_inference(network, device, self._dtype)
        self._lock = threading.Lock()

    def detect(
        self, images: Sequence[Image.Image], *, confidence_threshold: float
    ) -> list[list[Detection]]:
        """Return each RGB image's detections at or above the threshold, most confident first.

        Corners are in pixels of the image and within it. Raises DeviceUnavailable where the GPU
        has too little memory for a single image.
        """
        run = partial(self._detect_batch, confidence_threshold=confidence_threshold)
        return map_batches(run, images, self._batch_size)

    def _detect_batch(
        self, images: Sequence[Image.Image], confidence_threshold: float
    ) -> list[list[Detection]]:
        pixels, boxes = letterboxed(images, self.side_px)
        with self._lock, torch.inference_mode(), autocast(self._device, self._dtype):
            maps = self._network(sent(pixels, self._device).float().div_(255))
        found = decode(maps, self._anchors_px, STRIDES, confidence_threshold)
        return [suppress(found, index, box, self._names) for index, box in enumerate(boxes)]


def load_yolov5(
    weights: str,
    device: torch.device,
    *,
    data_dir: Path,
    batch_size: int = 8,
    dtype: torch.dtype | None = None,
) -> YoloV5Detector:
    """Load the detector of a size (n, s, m, l, x) or from a path to `.pt` or `.safetensors`.

    Sizes are looked up in `data_dir/weights`, then downloaded. Raises InvalidModel where the
    weights cannot be used, ModelUnavailable where they cannot be downloaded.
    """
    folder = data_dir / "weights"
    path = _official(weights, folder) if weights in tuple(SIZES) else Path(weights)
    checkpoint = load_checkpoint(path, folder / "converted")
    try:
        return YoloV5Detector(checkpoint, device, batch_size=batch_size, dtype=dtype)
    except InvalidModel as exc:
        raise InvalidModel(f"{path}: {exc.message}") from exc


def _official(size: str, folder: Path) -> Path:
    stem = folder / f"yolov5{size}"
    for path in (stem.with_suffix(".safetensors"), stem.with_suffix(".pt")):
        if path.is_file():
            return path
    return download_file(
        f"fcakyon/yolov5{size}-v7.0",
        "best.pt",
        ways_out=f"put the file at {stem}.pt, set NEEDLE_DETECTOR to the path of YOLOv5 weights, "
        "or set NEEDLE_MODELS=mini, which needs no download",
    )
