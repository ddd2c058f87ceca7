"""What the demo is asked to do, read from the variables given to `make demo` and checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.errors import DemoError
from machine.stack.services import ROOT
from needle.draw import open_upright
from needle.uploads import find_images

_MODEL_SETTINGS = ("NEEDLE_MODELS", "NEEDLE_DETECTOR", "NEEDLE_ENCODER")
_NO, _YES = ("0", "no", "false", "off"), ("1", "yes", "true", "on", "")


@dataclass(frozen=True)
class Own:
    """One's own pictures: the photos to index and the picture to find in them."""

    photos: tuple[Path, ...]
    query: Path


@dataclass(frozen=True)
class Plan:
    """A run of the demo. `own` is None for the sample photos; `keep` leaves the service up."""

    data_dir: Path
    keep: bool
    own: Own | None = None


def read_plan(env: Mapping[str, str]) -> Plan:
    """Return what PHOTOS, QUERY, KEEP and NEEDLE_DATA_DIR ask for. Raises DemoError."""
    keep = env.get("KEEP", "").strip().lower()
    if keep not in (*_NO, *_YES):
        raise DemoError(f"KEEP={keep} is neither 1 (leave the service up) nor 0 (end by itself).")
    base = Path(env.get("NEEDLE_DATA_DIR") or ROOT / "data" / "demo").expanduser().absolute()
    folder = env.get("PHOTOS", "").strip()
    own = _own(folder, env.get("QUERY", "").strip())
    models = [env.get(name, "") for name in _MODEL_SETTINGS]
    where = str(Path(folder).expanduser().resolve()) if own else ""
    return Plan(_data_dir(base, where, models), keep in _YES, own)


def _own(folder: str, query: str) -> Own | None:
    if not folder and not query:
        return None
    if not folder or not query:
        raise DemoError(
            "PHOTOS and QUERY go together: make demo PHOTOS=folder-of-photos QUERY=small-picture"
        )
    return Own(_photos(Path(folder).expanduser()), _query(Path(query).expanduser()))


def _photos(folder: Path) -> tuple[Path, ...]:
    try:
        found = find_images([folder])
    except OSError as exc:
        raise DemoError(f"There is no folder {folder} (PHOTOS).") from exc
    if not found:
        raise DemoError(f"There are no pictures in {folder} (PHOTOS) or in the folders below it.")
    return tuple(found)


def _query(file: Path) -> Path:
    if not file.is_file():
        raise DemoError(f"There is no file {file} (QUERY).")
    try:
        open_upright(file)
    except Exception as exc:  # Pillow raises many kinds for a damaged or enormous picture
        raise DemoError(f"{file} (QUERY) is not a picture that can be read: {exc}.") from exc
    return file


def _data_dir(base: Path, photos: str, models: list[str]) -> Path:
    """Return the folder of this run's index.

    Another folder of photos, or another encoder, gets an index of its own, so that only the
    photos named are found, and that switching between models costs nothing.
    """
    if not photos and not any(models):
        return base
    digest = hashlib.sha256("\n".join([photos, *models]).encode()).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9]+", "-", Path(photos).name if photos else models[0])[:24]
    return base.with_name("-".join(filter(None, (base.name, name.strip("-"), digest))))
