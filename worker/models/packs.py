"""Model packs: what finds things, and what embeds them.

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
from worker.models.base import DenseEncoder, Detector, Encoder
from worker.models.dense import MapsDetector

if TYPE_CHECKING:
    import torch

    from worker.models.onepass.encoder import OnePassEncoder
    from worker.models.precision import Precision

    Place = tuple[torch.device, Precision]

_SIZES = ("n", "s", "m", "l", "x")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_SHIPPED = Path(__file__).resolve().parents[2] / "models"

_CROP_KEYS = {"name", "detector", "encoder"}
_BESIDE_PIXELS = 3_600_000
"""Most pixels at which a network finds things for an encoder of crops."""
_QUERY_PIXELS = 1_000_000
"""Most pixels at which a dense encoder looks for the things in a query."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pack:
    """Names what finds and embeds things.

    Either a `network` (a folder) that does both in one pass over an image, or an `encoder` of crops
    (a name on the hub, or a path) with a `detector` (a size, a path, or none) beside it. A network
    may stand beside an encoder or a detector that a setting puts in the place of half of it.
    """

    name: str
    detector: str | None = None
    encoder: str | None = None
    network: str | None = None

    @property
    def needs_torch(self) -> bool:
        """Tell whether some part of the pack runs on PyTorch alone."""
        return self.encoder is not None or self.detector is not None


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
            "detector": self._finds_with,
            "encoder": self.encoder.id,
            "dim": self.encoder.dim,
            "has_text": self.encoder.has_text,
            "has_kinds": self.encoder.kind_dim > 0,
            "device": self.device,
            "precision": self.precision,
        }

    @property
    def _finds_with(self) -> str | None:
        """Name what finds things: a detector, or a dense encoder itself."""
        if self.detector is not None:
            return self.detector.id
        return self.encoder.id if isinstance(self.encoder, DenseEncoder) else None


_STANDARD = Pack("standard", detector="s", encoder="openai/clip-vit-base-patch32")


def resolve_pack(settings: Settings) -> Pack:
    """Return the pack that the settings choose, with the paths in it absolute.

    `mini` ships with the project, `standard` comes from the hub, anything else is a folder with
    a `pack.json`. NEEDLE_DETECTOR and NEEDLE_ENCODER replace what it has. Raises InvalidSettings
    where a setting names nothing, InvalidModel where a folder's `pack.json` is at fault.
    """
    pack = _STANDARD if settings.models == _STANDARD.name else _read_pack(settings.models)
    here = Path.cwd()
    detector, encoder = pack.detector, pack.encoder
    if settings.detector is not None:
        detector = _detector(settings.detector, here)
        if detector is None:
            raise InvalidSettings(
                f"NEEDLE_DETECTOR={settings.detector!r}: neither n, s, m, l or x nor a file"
            )
    if settings.encoder is not None:
        encoder = _encoder(settings.encoder, here)
        if encoder is None:
            raise InvalidSettings(
                f"NEEDLE_ENCODER={settings.encoder!r}: neither a folder nor a name on the hub"
            )
    return Pack(pack.name, detector, encoder, pack.network)


def check_pack(settings: Settings) -> Pack:
    """Return the pack that the settings choose, if what it runs on is installed here.

    Imports nothing of it. Raises what `resolve_pack` raises, and InvalidSettings where there is no
    PyTorch.
    """
    pack = resolve_pack(settings)
    if pack.needs_torch and importlib.util.find_spec("torch") is None:
        raise InvalidSettings(
            f"The models asked for (pack {pack.name!r}) run on PyTorch, which is not installed "
            "here: install it with `make setup ALL=1`, or leave NEEDLE_MODELS, NEEDLE_DETECTOR "
            "and NEEDLE_ENCODER out."
        )
    return pack


def load_pack(settings: Settings, *, with_detector: bool = True) -> LoadedPack:
    """Load the networks of the pack that the settings choose; takes seconds.

    A search needs no detector: `with_detector` False leaves it out.

    `settings.threads` is how many threads its engine may take. Raises what `check_pack`
    raises, DeviceUnavailable, InvalidModel, and ModelUnavailable where the hub is out of reach.
    """
    pack = check_pack(settings)
    if pack.encoder is None:
        network = _load_network(pack, settings)
        detector = _load_detector(pack, settings) if with_detector else None
        return LoadedPack(
            pack.name, detector, network, network.engine.device, network.engine.precision
        )
    from worker.models.clip import ClipEncoder, find_clip
    from worker.models.clip_boxes import GpuClipEncoder

    device, precision = place = _place(settings)
    detector = _load_detector(pack, settings, place) if with_detector else None
    folder, name = find_clip(pack.encoder)
    kind = ClipEncoder if device.type == "cpu" else GpuClipEncoder
    encoder = kind(
        folder,
        device,
        name=name,
        batch_size=settings.encoder_batch_size,
        dtype=precision.dtype,
    )
    return LoadedPack(pack.name, detector, encoder, str(device), precision.name)


def load_detector(settings: Settings, encoder: Encoder | None = None) -> Detector | None:
    """Load the detector of the pack that the settings choose, None where it has none.

    With the pack's `encoder`, a dense one finds things itself. Raises what `load_pack` raises.
    """
    pack = resolve_pack(settings)
    if pack.detector is None and isinstance(encoder, DenseEncoder):
        return MapsDetector(encoder, _QUERY_PIXELS)
    return _load_detector(pack, settings)


def _place(settings: Settings) -> Place:
    """Return where and in which precision torch is to run networks, and log it with the reason.

    Sets torch's threads.
    """
    import torch

    from worker.models.device import resolve_device
    from worker.models.precision import resolve_precision

    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    log.info("networks run on %s in %s: %s", device, precision.name, precision.reason)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    return device, precision


def _load_network(pack: Pack, settings: Settings) -> OnePassEncoder:
    from worker.models.onepass.loading import load_onepass

    assert pack.network is not None  # a pack has a network or an encoder
    return load_onepass(
        Path(pack.network),
        device=settings.device,
        precision=settings.precision,
        threads=settings.threads,
    )


def _load_detector(pack: Pack, settings: Settings, place: Place | None = None) -> Detector | None:
    """Load the detector; beside an encoder of crops, the pack's network finds things.

    `place` is what `_place` returns, where it was asked already.
    """
    if pack.detector is None:
        if pack.network is None or pack.encoder is None:
            return None
        return MapsDetector(_load_network(pack, settings), _BESIDE_PIXELS)
    from worker.models.yolov5 import load_yolov5

    device, precision = place or _place(settings)
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
    if not isinstance(facts, dict) or set(facts) not in ({"name", "network"}, _CROP_KEYS):
        raise InvalidModel(
            f"{path} must have the keys name and network, or name, detector and encoder; no others"
        )
    if not (isinstance(facts["name"], str) and facts["name"]):
        raise InvalidModel(f"{path}: name must be a text")
    if "network" in facts:
        return Pack(facts["name"], network=_network(path, facts["network"]))
    wanted, encoder = facts["detector"], facts["encoder"]
    if not isinstance(encoder, str):
        raise InvalidModel(f"{path}: encoder must be a text")
    if wanted is not None and not isinstance(wanted, str):
        raise InvalidModel(f"{path}: detector must be a text or null")
    return _located(path, facts["name"], wanted, encoder)


def _network(path: Path, value: Any) -> str:
    """Return the absolute path of a pack's network."""
    from worker.models.onepass.loading import FACTS, is_onepass

    folder = path.parent / value if isinstance(value, str) else None
    if folder is None or not is_onepass(folder):
        raise InvalidModel(f"{path}: the network {value!r} is no folder with a {FACTS}")
    return str(folder)


def _located(path: Path, name: str, detector: str | None, encoder: str) -> Pack:
    """Return the pack with its paths, which are relative to its folder, made absolute."""
    found = None if detector is None else _detector(detector, path.parent)
    if found is None and detector is not None:
        raise InvalidModel(f"{path}: the detector {detector!r} is neither a size nor a file")
    where = _encoder(encoder, path.parent)
    if where is None:
        raise InvalidModel(
            f"{path}: the encoder {encoder!r} is neither a folder nor a name on the hub"
        )
    return Pack(name, found, where)


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
