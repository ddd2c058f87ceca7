"""What of an image's file goes into its metadata, where the request asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from common.catalogue import ImageRecord
from common.contract.fields import Noted
from common.pictures import exif

_OF_FILES: Mapping[Noted, Callable[[bytes], dict[str, Any]]] = {
    Noted.DATE: exif.taken,
    Noted.CAMERA: exif.camera,
    Noted.PLACE: exif.place,
}
MOST_FOLDERS = 64


def noted(
    wanted: Sequence[Noted], record: ImageRecord, read: Callable[[], bytes]
) -> dict[str, Any]:
    """Return what is wanted of an image; `read` is called for what its file says. Raises as it."""
    found: dict[str, Any] = {}
    if Noted.FOLDER in wanted and (folders := _folders(record.paths)):
        found["folder"] = folders
    of_file = [each for each in wanted if each in _OF_FILES]
    content = read() if of_file else b""
    for each in of_file:
        found |= _OF_FILES[each](content)
    return found


def _folders(paths: Sequence[str]) -> list[str]:
    """Return every folder on the paths, the outer before the inner: whoever names one finds all."""
    every = [
        folder
        for path in paths
        for folder in accumulate(path.split("/")[:-1], lambda outer, inner: f"{outer}/{inner}")
    ]
    return list(dict.fromkeys(every))[:MOST_FOLDERS]
