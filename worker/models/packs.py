"""Model packs: which detector and which encoder work together.

Imports neither torch nor the networks until a pack is loaded: a worker's parent process may read
a pack, but only its children may touch the GPU.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import InvalidModel, InvalidSettings
from common.settings import Settings
from worker.models.base import Detector, Encoder

if TYPE_CHECKING:
    import torch

    from worker.models.precision import Precision

_SIZES = ("n", "s", "m", "l", "x")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_SHIPPED = Path(__file__).resolve().parents[2] / "models"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pack:
    """Names a detector (a size, a path, or none), an encoder (a name on the hub, or a path) and,
    where the encoder does not know what is of the same kind, a kind tower (a path)."""

    name: str
    detector: str | None
    encoder: str
    kinds: str | None = None


@dataclass(frozen=True)
class LoadedPack:
    """A pack whose networks are in memory."""

    name: str
    detector: Detector | None
    encoder: Encoder
    device: str
    precision: str

    def describe(self) -> dict[str, str | int | bool | None]:
        """Return what `/readyz` shows, as JSON carries it."""
        return {
            "name": self.name,
            "detector": self.detector.id if self.detector else None,
            "encoder": self.encoder.id,
            "dim": self.encoder.dim,
            "has_text": self.encoder.has_text,
            "has_kinds": self.encoder.kind_dim > 0,
            "device": self.device,
            "precision": self.precision,
        }


_STANDARD = Pack("standard", detector="s", encoder="openai/clip-vit-base-patch32")


def resolve_pack(settings: Settings) -> Pack:
    """Return the pack that the settings choose, with the paths in it absolute.

    `mini` ships with the project, `standard` comes from the hub, anything else is a folder with
    a `pack.json`. NEEDLE_DETECTOR and NEEDLE_ENCODER replace the pack's, the latter with its kind
    tower. Raises InvalidSettings where a setting names nothing, InvalidModel where a folder's
    `pack.json` is at fault.
    """
    pack = _STANDARD if settings.models == _STANDARD.name else _read_pack(settings.models)
    here = Path.cwd()
    detector, encoder, kinds = pack.detector, pack.encoder, pack.kinds
    if settings.detector is not None:
        detector = _detector(settings.detector, here)
        if detector is None:
            raise InvalidSettings(
                f"NEEDLE_DETECTOR={settings.detector!r}: neither n, s, m, l or x nor a file"
            )
    if settings.encoder is not None:
        found = _encoder(settings.encoder, here)
        if found is None:
            raise InvalidSettings(
                f"NEEDLE_ENCODER={settings.encoder!r}: neither a folder nor a name on the hub"
            )
        encoder, kinds = found, None
    return Pack(pack.name, detector, encoder, kinds)


def check_pack(settings: Settings) -> Pack:
    """Return the pack that the settings choose, if what it runs on is installed here.

    Imports nothing of it. Raises what `resolve_pack` raises, and InvalidSettings where there is no
    PyTorch.
    """
    pack = resolve_pack(settings)
    if importlib.util.find_spec("torch") is None:
        raise InvalidSettings(
            f"The models asked for (pack {pack.name!r}) run on PyTorch, which is not installed "
            "here: install it with `make setup ALL=1`, or leave NEEDLE_MODELS, NEEDLE_DETECTOR "
            "and NEEDLE_ENCODER out."
        )
    return pack


def load_pack(settings: Settings, *, with_detector: bool = True) -> LoadedPack:
    """Load the networks of the pack that the settings choose; takes seconds.

    A search needs no detector: `with_detector` False leaves it out.

    Sets torch's threads where `settings.threads` asks for a number. Raises what `check_pack`
    raises, DeviceUnavailable, InvalidModel, and ModelUnavailable where the hub is out of reach.
    """
    pack = check_pack(settings)
    import torch

    from worker.models.clip import ClipEncoder, find_clip

    if settings.threads:
        torch.set_num_threads(settings.threads)
    device, precision = _place(settings)
    detector = _load_detector(pack, settings, device, precision) if with_detector else None
    folder, name = find_clip(pack.encoder)
    batch, dtype = settings.encoder_batch_size, precision.dtype
    encoder: Encoder = ClipEncoder(folder, device, name=name, batch_size=batch, dtype=dtype)
    if pack.kinds is not None:
        from worker.models.kind_tower import KindEncoder
        from worker.models.with_kinds import EncoderWithKinds

        kinds = KindEncoder(Path(pack.kinds), device, batch_size=batch, dtype=dtype)
        encoder = EncoderWithKinds(encoder, kinds)
    return LoadedPack(pack.name, detector, encoder, str(device), precision.name)


def load_detector(settings: Settings) -> Detector | None:
    """Load the detector of the pack that the settings choose, None where it has none.

    Raises what `load_pack` raises.
    """
    pack = resolve_pack(settings)
    return None if pack.detector is None else _load_detector(pack, settings, *_place(settings))


def _place(settings: Settings) -> tuple[torch.device, Precision]:
    """Return where and in which precision the networks are to run, and log it with the reason."""
    from worker.models.device import resolve_device
    from worker.models.precision import resolve_precision

    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    log.info("networks run on %s in %s: %s", device, precision.name, precision.reason)
    return device, precision


def _load_detector(
    pack: Pack, settings: Settings, device: torch.device, precision: Precision
) -> Detector | None:
    from worker.models.yolov5 import load_yolov5

    if pack.detector is None:
        return None
    return load_yolov5(
        pack.detector,
        device,
        data_dir=settings.data_dir,
        batch_size=settings.batch_size,
        dtype=precision.dtype,
    )


def _read_pack(models: str) -> Pack:
    folder = _SHIPPED / "mini" if models == "mini" else Path(models).expanduser().absolute()
    path = folder / "pack.json"
    if not path.is_file():
        raise InvalidSettings(
            f"NEEDLE_MODELS={models!r}: neither mini nor standard nor a folder with a pack.json"
        )
    try:
        facts: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise InvalidModel(f"{path} cannot be read as JSON: {exc}") from exc
    if not isinstance(facts, dict) or set(facts) | {"kinds"} != set(Pack.__dataclass_fields__):
        raise InvalidModel(
            f"{path} must have the keys name, detector and encoder; it may have kinds, no others"
        )
    name, wanted, encoder = facts["name"], facts["detector"], facts["encoder"]
    kinds = facts.get("kinds")
    if not (isinstance(name, str) and isinstance(encoder, str) and name):
        raise InvalidModel(f"{path}: name and encoder must be texts")
    if wanted is not None and not isinstance(wanted, str):
        raise InvalidModel(f"{path}: detector must be a text or null")
    if kinds is not None and not isinstance(kinds, str):
        raise InvalidModel(f"{path}: kinds must be a text or null")
    return _located(path, Pack(name, wanted, encoder, kinds))


def _located(path: Path, pack: Pack) -> Pack:
    """Return the pack with its paths, which are relative to its folder, made absolute."""
    detector = None if pack.detector is None else _detector(pack.detector, path.parent)
    if detector is None and pack.detector is not None:
        raise InvalidModel(f"{path}: the detector {pack.detector!r} is neither a size nor a file")
    encoder = _encoder(pack.encoder, path.parent)
    if encoder is None:
        raise InvalidModel(
            f"{path}: the encoder {pack.encoder!r} is neither a folder nor a name on the hub"
        )
    kinds = None if pack.kinds is None else path.parent / pack.kinds
    if kinds is not None and not kinds.is_file():
        raise InvalidModel(f"{path}: the kind tower {pack.kinds!r} is no file")
    return Pack(pack.name, detector, encoder, None if kinds is None else str(kinds))


def _detector(value: str, base: Path) -> str | None:
    """Return a size as it is, a file's absolute path, or None."""
    if value in _SIZES:
        return value
    path = base / Path(value).expanduser()
    return str(path) if path.is_file() else None


def _encoder(value: str, base: Path) -> str | None:
    """Return a folder's absolute path, a name on the hub as it is, or None."""
    path = base / Path(value).expanduser()
    if path.is_dir():
        return str(path)
    return value if _HUB_NAME.fullmatch(value) else None
