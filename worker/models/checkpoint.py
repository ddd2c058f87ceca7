"""YOLOv5 weights as inert data: tensors, architecture and class names.

`.safetensors` with a `.json` beside it is read as it is; a `.pt` is converted to that once and
kept in a cache folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from common.errors import InvalidModel
from worker.models.files import sha256_of
from worker.models.pickled import read_pickled

ARCHITECTURE_KEYS = ("depth_multiple", "width_multiple", "backbone", "head")

SIDE_PX = 640
"""What YOLOv5 is trained for unless the weights say otherwise."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A YOLOv5 network's tensors by name, its architecture (YOLOv5's yaml), its class names.

    `side_px` is the side of the square images that it was trained for.
    """

    tensors: Mapping[str, torch.Tensor]
    architecture: Mapping[str, Any]
    names: tuple[str, ...]
    side_px: int = SIDE_PX

    @property
    def sha256(self) -> str:
        """Hash of all that decides detections: the same from a `.pt` and from its conversion."""
        digest = hashlib.sha256(json.dumps(self.names).encode())
        if self.side_px != SIDE_PX:
            digest.update(f"side {self.side_px}".encode())
        for name, tensor in sorted(self.tensors.items()):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def load_checkpoint(path: Path, cache_dir: Path) -> Checkpoint:
    """Read `.safetensors` (with its `.json` beside it) or `.pt` weights.

    A `.pt` is converted once; the result is kept in `cache_dir` under the file's sha256. Raises
    InvalidModel where the file is missing, broken, or more than inert data.
    """
    if not path.is_file():
        raise InvalidModel(f"There are no YOLOv5 weights at {path}")
    if path.suffix == ".safetensors":
        return _read(path)
    if path.suffix != ".pt":
        raise InvalidModel(f"{path} is neither .pt nor .safetensors")
    key = sha256_of([path])
    converted = cache_dir / f"{key}.safetensors"
    if converted.is_file():
        try:
            return _read(converted)
        except InvalidModel as exc:
            log.warning("converting %s again: %s", path, exc.message)
    checkpoint = _convert(path)
    _keep(checkpoint, converted, key)
    return checkpoint


def _read(path: Path) -> Checkpoint:
    facts_path = path.with_suffix(".json")
    try:
        tensors = load_file(path)
        facts = json.loads(facts_path.read_text(encoding="utf-8"))
        names = facts["names"]
        if isinstance(names, dict):
            names = [names[str(index)] for index in range(len(names))]
        return replace(
            _checked(tensors, facts["cfg"], names), side_px=_side(facts.get("side_px", SIDE_PX))
        )
    except FileNotFoundError as exc:
        raise InvalidModel(f"{path} needs {facts_path.name} beside it") from exc
    except Exception as exc:  # broken bytes raise anything
        raise InvalidModel(f"{path} or {facts_path.name} is broken: {exc}") from exc


def _side(value: object) -> int:
    """Return the side in pixels, which the network's strides must divide."""
    if not isinstance(value, int) or value % 32 or not 32 <= value <= 4096:
        raise ValueError(f"side_px is {value!r}, and must be a multiple of 32 up to 4096")
    return value


def _convert(path: Path) -> Checkpoint:
    tensors, architecture, names = read_pickled(path)
    # Releases before 6.1 stored the anchors a second time; the network derives them.
    kept = {
        name: tensor.contiguous().clone()  # safetensors takes no views of shared memory
        for name, tensor in tensors.items()
        if not name.endswith(".anchor_grid")
    }
    try:
        return _checked(kept, architecture, names)
    except Exception as exc:  # the parts may be of any type
        raise InvalidModel(f"{path} is refused as YOLOv5 weights: {exc}") from exc


def _checked(tensors: dict[str, torch.Tensor], architecture: Any, names: Any) -> Checkpoint:
    """Return a checkpoint of plain data only; raises ValueError for anything else."""
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError("class names must be texts, numbered from 0")
    if not all(t.isfinite().all() for t in tensors.values()):
        raise ValueError("some weights are not finite numbers")
    # `activation` is kept so that the network's builder can refuse it.
    wanted = {k: architecture[k] for k in (*ARCHITECTURE_KEYS, "activation") if k in architecture}
    return Checkpoint(tensors, json.loads(json.dumps(wanted)), tuple(names))


def _keep(checkpoint: Checkpoint, path: Path, key: str) -> None:
    """Write the pair of files, each at once: several processes may convert the same weights."""
    facts = {
        "cfg": checkpoint.architecture,
        "names": dict(enumerate(checkpoint.names)),
        "sha256_pt": key,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(
            path.with_suffix(".json"),
            lambda new: new.write_text(json.dumps(facts, indent=1), encoding="utf-8"),
        )
        # Last, because its presence says that both are there.
        _replace(path, lambda new: save_file(dict(checkpoint.tensors), new, {"format": "pt"}))
    except (OSError, SafetensorError) as exc:
        log.warning("cannot keep the converted weights in %s: %s", path.parent, exc)


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:12]}-")
    os.close(handle)
    new = Path(name)
    try:
        write(new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
