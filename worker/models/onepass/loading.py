"""Loads the network of a folder, on the engine that fits the machine."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from common.errors import DeviceUnavailable, InvalidModel
from worker.models.files import sha256_of
from worker.models.onepass.encoder import GEOMETRY, OnePassEncoder
from worker.models.onepass.engine import Engine

FACTS, WEIGHTS = "network.json", "network.safetensors"
GPU_FILES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Where a GPU shows on Linux: NVIDIA's, AMD's, and either under WSL."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
    """What `network.json` says: the network's name, and the numbers of thing and kind."""

    name: str
    thing: int
    kind: int


def load_onepass(
    folder: Path, *, device: str = "auto", precision: str = "auto", threads: int | None = None
) -> OnePassEncoder:
    """Load the network of a folder: `network.json`, `network.safetensors` and graphs beside them.

    `device` and `precision` are those of the settings; torch is imported for a GPU alone. The id is
    that of the weights: embeddings of one precision may be searched with those of another. Raises
    InvalidModel, DeviceUnavailable and InvalidSettings.
    """
    facts = _facts(folder)
    engine = _engine(folder, device, precision, threads or 0)
    name = f"{facts.name}:{_digest(folder)[:12]}"
    log.info("the network %s runs on %s in %s", name, engine.device, engine.precision)
    return OnePassEncoder(engine, name=name, dims=(facts.thing, facts.kind))


def _digest(folder: Path) -> str:
    """Name what decides embeddings: weights, sizes, and the scales at which boxes are read off."""
    files = sha256_of([folder / WEIGHTS, folder / FACTS])
    return hashlib.sha256(f"{files} {GEOMETRY}".encode()).hexdigest()


def is_onepass(folder: Path) -> bool:
    """Tell whether a folder holds a network of this form."""
    return (folder / FACTS).is_file()


def _engine(folder: Path, device: str, precision: str, threads: int) -> Engine:
    if not _wants_gpu(device):
        from worker.models.onepass.onnx_engine import OnnxEngine, cpu_precision

        return OnnxEngine(folder, precision=cpu_precision(precision, folder), threads=threads)
    from worker.models.device import resolve_device
    from worker.models.onepass.torch_engine import TorchEngine
    from worker.models.precision import resolve_precision

    chosen = resolve_device(device)
    return TorchEngine(folder, chosen, resolve_precision(precision, chosen).dtype)


def _wants_gpu(device: str) -> bool:
    """Tell whether torch is to be asked for a GPU: importing it takes seconds and 300 MB."""
    if device == "cpu":
        return False
    if importlib.util.find_spec("torch") is None:
        if device == "auto":
            return False
        raise DeviceUnavailable(
            f"NEEDLE_DEVICE={device} asks for a GPU, which PyTorch runs, and PyTorch is not "
            "installed here: install it with `make setup ALL=1`, or set NEEDLE_DEVICE=cpu.",
            gpus=0,
        )
    if device != "auto":
        return True
    if not any(Path(file).exists() for file in GPU_FILES):
        return False
    import torch

    return torch.cuda.is_available()


def _facts(folder: Path) -> Facts:
    try:
        raw = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return Facts(str(raw["name"]), int(raw["sizes"]["thing"]), int(raw["sizes"]["kind"]))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidModel(f"{folder / FACTS} does not describe a network: {exc}") from exc
