"""What cameras note in a file, as metadata that is filtered by: when, with what, where."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from common.errors import InvalidImage
from common.pictures.formats import READERS
from common.pictures.reading import translated

_DATE = re.compile(r"(\d{4}):(\d{2}):(\d{2})[ T](\d{2}):(\d{2}):(\d{2})")
_LONGEST = 100
_Tags = Mapping[int, Any]


def taken(content: bytes) -> dict[str, Any]:
    """Return when a photo was taken, as `date` (20240531) and `time` ("14:03:07"), if it says."""
    exif = _exif(content)
    said = str(exif.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime) or "")
    found = _DATE.match(said.strip())
    if found is None or found[1] == "0000":
        return {}
    year, month, day, *clock = found.groups()
    return {"date": int(year + month + day), "time": ":".join(clock)}


def camera(content: bytes) -> dict[str, Any]:
    """Return the `camera` that took a photo, make and model; nothing where the file is silent."""
    exif = _exif(content)
    make, model = (_word(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    return {"camera": name} if name else {}


def place(content: bytes) -> dict[str, Any]:
    """Return where a photo was taken: `latitude` and `longitude` in degrees; nothing if unsaid."""
    gps = _exif(content).get(ExifTags.IFD.GPSInfo) or {}
    latitude = _degrees(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "S")
    longitude = _degrees(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "W")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return {}
    return {"latitude": latitude, "longitude": longitude}


def _exif(content: bytes) -> dict[int, Any]:
    """Return the tags of a file, those of its photo part among them; none if it is unreadable."""
    try:
        with translated(), Image.open(io.BytesIO(content), formats=READERS) as image:
            exif = Image.Image.getexif(image)
            gps = dict(exif.get_ifd(ExifTags.IFD.GPSInfo))
            return {**exif, **exif.get_ifd(ExifTags.IFD.Exif), ExifTags.IFD.GPSInfo: gps}
    except InvalidImage:
        return {}


def _word(value: Any) -> str:
    text = str(value or "").replace("\0", " ")
    return " ".join("".join(mark for mark in text if mark.isprintable()).split())[:_LONGEST]


def _degrees(gps: _Tags, angle: int, side: int, negative: str) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in gps[angle])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    found = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(found):
        return None
    return round(-found if str(gps.get(side, "")).upper().startswith(negative) else found, 6)
