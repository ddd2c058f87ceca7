"""The pixels: a photo's file, its thumbnail, cuts out of it.

A photo's id comes from its bytes, so that what is behind most of these URLs never changes: browsers
may keep it for good. Each answer has an ETag; 304 is answered without reading or decoding anything.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable

from flask import Blueprint, Response, request

from common import pictures
from common.catalogue import ImageRecord
from common.errors import InvalidBox, NotFound
from common.geometry import Box
from common.images import photo_key, thumbnail_key
from web.contract import Answer, operation
from web.images import regions_of
from web.queries import CropQuery, FileQuery, RegionQuery
from web.schemas import InCollection
from web.services import services

FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"
JPEG = "image/jpeg"
_CUT_FORM = "1"
"""Part of the ETag of what is made here; to be changed with how it is made."""
_ONE_RANGE = re.compile(r"bytes=(\d+-\d*|-\d+)\Z")
_CACHED = ("ETag", "Cache-Control")
_PHOTOS = Answer(None, tuple(dict.fromkeys(pictures.FORMATS.values())), _CACHED)
_JPEGS = Answer(None, (JPEG,), _CACHED)
_FILE = {200: _PHOTOS, 206: _PHOTOS, 304: Answer(None, ())}
_PICTURE = {200: _JPEGS, 206: _JPEGS, 304: Answer(None, ())}
_CONDITIONS = ("If-None-Match", "Range")

routes = Blueprint("photos", __name__)
# Decoding holds a whole photo; one at a time keeps the process small.
_decoding = threading.Lock()


@routes.get("/images/<image_id>/file")
@operation("photos", _FILE, query=FileQuery, errors=(404, 416), headers=_CONDITIONS)
def file(asked: FileQuery, image_id: str) -> Response:
    """Get the photo, byte for byte as it was posted.

    With `box` or `max_side`, a JPEG instead: that part of the upright photo, shrunk until neither
    side is longer than `max_side` pixels.
    """
    record = services().catalogue.get(asked.collection, image_id)
    if asked.box is not None or asked.max_side is not None:
        box = asked.box or (0, 0, record.width, record.height)
        return _cut(record, Box(*box), asked.max_side, FOREVER)
    key = photo_key(record.collection, image_id)
    return _answer(lambda: services().images.open(key), record.media_type, image_id, FOREVER)


@routes.get("/images/<image_id>/thumbnail")
@operation("photos", _PICTURE, query=InCollection, errors=(404, 416), headers=_CONDITIONS)
def thumbnail(asked: InCollection, image_id: str) -> Response:
    """Get the photo's thumbnail, a JPEG of at most 320 pixels a side."""
    record = services().catalogue.get(asked.collection, image_id)
    content = services().images.open(thumbnail_key(record.collection, image_id))
    etag = hashlib.sha256(content).hexdigest()[:32]
    return _answer(lambda: content, JPEG, etag, FOREVER)


@routes.get("/images/<image_id>/crop")
@operation("photos", _PICTURE, query=CropQuery, errors=(404, 416), headers=_CONDITIONS)
def crop(asked: CropQuery, image_id: str) -> Response:
    """Get the pixels inside a box, a JPEG."""
    record = services().catalogue.get(asked.collection, image_id)
    return _cut(record, Box(*asked.box), asked.max_side, FOREVER)


@routes.get("/images/<image_id>/regions/<int:number>.jpg")
@operation("photos", _PICTURE, query=RegionQuery, errors=(404, 416), headers=_CONDITIONS)
def region(asked: RegionQuery, image_id: str, number: int) -> Response:
    """Get the pixels of an indexed region by its number, from 0, a JPEG.

    The number names another box once the photo is indexed with other options: caches ask again.
    """
    record = services().catalogue.get(asked.collection, image_id)
    regions = regions_of(record)
    if number >= len(regions):
        raise NotFound(f"The image has {len(regions)} regions; number {number} is not one of them.")
    return _cut(record, Box(*regions[number]["box"]), asked.max_side, ASK_AGAIN)


def _cut(record: ImageRecord, box: Box, max_side: int | None, cache: str) -> Response:
    """Answer with part of a photo, its longer side at most `max_side` pixels. Raises InvalidBox."""
    if not box.inside(record.width, record.height):
        raise InvalidBox(
            f"The box {box.as_list()} must be x1 < x2, y1 < y2 and lie inside "
            f"the image of {record.width} x {record.height} pixels."
        )

    def make() -> bytes:
        content = services().images.open(photo_key(record.collection, record.image_id))
        with _decoding:
            photo = pictures.decode(content, max_pixels=services().settings.max_image_pixels)
            cut = pictures.crop(photo, box)
        if max_side is not None:
            cut.thumbnail((max_side, max_side))
        return pictures.jpeg(cut)

    corners = "-".join(map(str, box.as_tuple()))
    return _answer(make, JPEG, f"{record.image_id}-{corners}-{max_side}-{_CUT_FORM}", cache)


def _answer(make: Callable[[], bytes], media_type: str, etag: str, cache: str) -> Response:
    """Answer with a picture, whole or the range asked for, or with 304 to whoever has it.

    Raises werkzeug's RequestedRangeNotSatisfiable.
    """
    if request.if_none_match.contains_weak(etag):
        response = Response(status=304)
    else:
        content = make()
        response = Response(content, mimetype=media_type)
        # More than one range, or another unit, may be answered as if none were asked for.
        whole = not _ONE_RANGE.match(request.headers.get("Range", ""))
        response.headers["Accept-Ranges"] = "bytes"
        if not whole:
            response.set_etag(etag)
            response.make_conditional(request, accept_ranges=True, complete_length=len(content))
    response.set_etag(etag)
    response.headers["Cache-Control"] = cache
    return response
