"""Builds YOLOv5's network from a checkpoint, up to the raw output of its head."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml  # type: ignore[import-untyped]
from torch import nn

from common.errors import InvalidModel
from worker.models.checkpoint import ARCHITECTURE_KEYS, Checkpoint
from worker.models.yolov5_import import import_yolov5

SIZES = "nsmlx"
STRIDES = (8, 16, 32)


class RawHead(nn.Module):
    """The head's 1x1 convolutions, in place of the package's `Detect`.

    `Detect` decodes all 25,200 candidates into a grid that it changes as it runs; we decode the
    few that matter, without state that threads could share.
    """

    def __init__(self, detect: Any) -> None:
        super().__init__()
        self.m = detect.m
        self.f, self.i = detect.f, detect.i  # where the package's loop finds the inputs

    def forward(self, features: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return a (batch, anchors * (5 + classes), rows, columns) tensor for each stride."""
        return [conv(feature) for conv, feature in zip(self.m, features, strict=True)]


def build_network(checkpoint: Checkpoint) -> tuple[nn.Module, torch.Tensor]:
    """Return the float32 network on the CPU and its anchors.

    The network maps (batch, 3, height, width) floats 0..1 to the raw maps that `RawHead`
    describes; the anchors are (strides, anchors, 2) widths and heights in pixels. Raises
    InvalidModel where the architecture is not YOLOv5 n, s, m, l or x of release 6.0 or later,
    or the tensors do not fit it.
    """
    package = import_yolov5()
    config = _package_config(checkpoint.architecture, Path(package.__file__).parent)
    head = f"model.{len(config['backbone']) + len(config['head']) - 1}"
    anchors = _anchors_px(checkpoint.tensors, head)
    config["anchors"] = anchors.flatten(1).tolist()
    network = package.DetectionModel(config, ch=3, nc=len(checkpoint.names))
    floats = {k: v.float() if v.is_floating_point() else v for k, v in checkpoint.tensors.items()}
    try:
        network.load_state_dict(floats, strict=True)
    except RuntimeError as exc:
        raise InvalidModel(
            f"The weights do not fit a YOLOv5 of their size with {len(checkpoint.names)} classes"
        ) from exc
    network.requires_grad_(False).eval().fuse()
    network.model[-1] = RawHead(network.model[-1])
    built: nn.Module = network
    return built, anchors


def _package_config(architecture: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the package's own description of the architecture.

    The checkpoint's must only equal it: the package `eval()`s the strings in what it builds.
    """
    for size in SIZES if "activation" not in architecture else "":
        text = (folder / f"yolov5{size}.yaml").read_text(encoding="ascii", errors="ignore")
        config: dict[str, Any] = yaml.safe_load(text)
        if all(config[key] == architecture.get(key) for key in ARCHITECTURE_KEYS):
            return copy.deepcopy(config)
    raise InvalidModel(
        "The weights are not of a supported architecture: YOLOv5 n, s, m, l or x for detection "
        "at 640 pixels, of release 6.0 or later"
    )


def _anchors_px(tensors: Mapping[str, torch.Tensor], head: str) -> torch.Tensor:
    """Return the anchors that the weights were trained with, which may be custom ones."""
    anchors = tensors.get(f"{head}.anchors")
    if anchors is None or anchors.dim() != 3 or anchors.shape[::2] != (len(STRIDES), 2):
        raise InvalidModel("The weights have no anchors for three strides")
    return anchors.float() * torch.tensor(STRIDES).view(-1, 1, 1)
