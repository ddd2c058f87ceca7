"""Pictures for the tests of the demo."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

GREY = (120, 120, 120)


def picture(path: Path, width: int = 60, height: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), GREY).save(path)
    return path
