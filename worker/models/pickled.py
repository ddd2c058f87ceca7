"""Reads YOLOv5's pickled checkpoints (`.pt`) without running anything from the pickle.

A pickle names classes and functions to call. torch's restricted unpickler refuses all that are
not on its list; to that list we add the *names* that a YOLOv5 network consists of, each standing
for an empty class of ours. What comes out is a tree of attributes, never a live module.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from common.errors import InvalidModel

_MODULES = (
    *("yolo.Model", "yolo.DetectionModel", "yolo.Detect"),
    *("common.Conv", "common.C3", "common.Bottleneck", "common.SPPF", "common.Concat"),
    # Older networks: read so that the message can say that their architecture is not supported.
    *("common.SPP", "common.Focus", "common.BottleneckCSP", "common.DWConv"),
)
_TORCH = (
    *("conv.Conv2d", "batchnorm.BatchNorm2d", "pooling.MaxPool2d", "upsampling.Upsample"),
    *("container.Sequential", "container.ModuleList", "linear.Identity"),
    *("activation.SiLU", "activation.LeakyReLU", "activation.Hardswish", "activation.ReLU"),
)
_BOOKKEEPING = (  # the best fitness and the paths of a training run that was not stripped
    *(f"numpy.{c}.multiarray.{n}" for c in ("core", "_core") for n in ("scalar", "_reconstruct")),
    *("numpy.dtype", "numpy.ndarray"),
    # Python 3.13 keeps them in a module of their own.
    *(f"pathlib.{module}{n}Path" for module in ("", "_local.") for n in ("Posix", "Windows")),
)
_ALLOWED = (
    *(f"{package}models.{name}" for package in ("", "yolov5.") for name in _MODULES),
    *(f"torch.nn.modules.{name}" for name in _TORCH),
    *_BOOKKEEPING,
)
_DEEPEST = 16
"""Levels of submodules; a YOLOv5 network has 6, a hostile pickle may contain itself."""

_LOCK = threading.Lock()


class _Inert:
    """Takes the attributes that a pickle gives it, and does nothing with them."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


_SAFE_GLOBALS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (type(name, (_Inert,), {}), name) for name in _ALLOWED
]


def read_pickled(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any], list[str]]:
    """Return the tensors by name, the architecture, and the class names of a `.pt` file.

    All three are the file's word and still have to be checked. Raises InvalidModel where the
    file cannot be read, asks for anything but a YOLOv5 network, or has none in it.
    """
    content = _unpickle(path)
    network = content.get("ema") or content.get("model") if isinstance(content, dict) else None
    if not isinstance(network, _Inert):
        raise InvalidModel(f"{path} has no YOLOv5 network in it")
    tensors: dict[str, torch.Tensor] = {}
    _collect(network, "", tensors, path)
    names = getattr(network, "names", None)
    if isinstance(names, dict):
        names = [names.get(index) for index in range(len(names))]
    architecture = getattr(network, "yaml", None)
    if not isinstance(names, list) or not isinstance(architecture, dict):
        raise InvalidModel(f"{path} does not say its class names and its architecture")
    return tensors, architecture, names


def _unpickle(path: Path) -> Any:
    try:
        # The list of safe globals belongs to the process, hence the lock.
        with _LOCK, torch.serialization.safe_globals(_SAFE_GLOBALS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as exc:  # hostile or broken bytes raise anything
        named = re.search(r"GLOBAL ([\w.]+)", str(exc))
        why = f"it asks for {named[1]}, which no YOLOv5 detector needs" if named else "it is broken"
        raise InvalidModel(f"{path} is refused as YOLOv5 weights: {why}") from exc


def _collect(module: object, prefix: str, into: dict[str, torch.Tensor], path: Path) -> None:
    """Add the tensors of a module and its submodules under their dotted names."""
    state = vars(module) if isinstance(module, _Inert) else {}
    parts = [state.get(kind) for kind in ("_parameters", "_buffers", "_modules")]
    if prefix.count(".") > _DEEPEST or not all(isinstance(part, dict) for part in parts):
        raise InvalidModel(f"{path} has something other than a network layer at {prefix!r}")
    parameters, buffers, modules = parts
    for name, tensor in {**parameters, **buffers}.items():  # type: ignore[dict-item]
        if isinstance(tensor, torch.Tensor):
            into[f"{prefix}{name}"] = tensor.detach()
    for name, child in modules.items():  # type: ignore[union-attr]
        if child is not None:
            _collect(child, f"{prefix}{name}.", into, path)
