"""The pixels: a photo's file, its thumbnail, cuts out of it.

A photo's id comes from its bytes, so that what is behind most of these URLs never changes: browsers
may keep it for good. Each answer has an ETag; 304 is answered without reading or decoding anything.
"""

from __future__ import annotations

import hashlib

from flask import Blueprint, Response

from common.catalogue import ImageRecord
from common.errors import NotFound
from common.geometry import Box
from common.images import photo_key, thumbnail_key
from web.contract import operation
from web.images import regions_of
from web.pixels import AS_JPEG, AS_POSTED, CONDITIONS, JPEG, Source, answer, cut
from web.queries import CropQuery, FileQuery, RegionQuery
from web.schemas import InCollection
from web.services import services

FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"

routes = Blueprint("photos", __name__)


@routes.get("/images/<image_id>/file")
@operation("photos", AS_POSTED, query=FileQuery, errors=(404, 416), headers=CONDITIONS)
def file(asked: FileQuery, image_id: str) -> Response:
    """Get the photo, byte for byte as it was posted.

    With `box` or `max_side`, a JPEG instead: that part of the upright photo, shrunk until neither
    side is longer than `max_side` pixels.
    """
    record = services().catalogue.get(asked.collection, image_id)
    if asked.box is not None or asked.max_side is not None:
        box = Box(*asked.box) if asked.box else None
        return cut(_source(record), box, asked.max_side, FOREVER)
    key = photo_key(record.collection, image_id)
    return answer(lambda: services().images.open(key), record.media_type, image_id, FOREVER)


@routes.get("/images/<image_id>/thumbnail")
@operation("photos", AS_JPEG, query=InCollection, errors=(404, 416), headers=CONDITIONS)
def thumbnail(asked: InCollection, image_id: str) -> Response:
    """Get the photo's thumbnail, a JPEG of at most 320 pixels a side."""
    record = services().catalogue.get(asked.collection, image_id)
    content = services().images.open(thumbnail_key(record.collection, image_id))
    etag = hashlib.sha256(content).hexdigest()[:32]
    return answer(lambda: content, JPEG, etag, FOREVER)


@routes.get("/images/<image_id>/crop")
@operation("photos", AS_JPEG, query=CropQuery, errors=(404, 416), headers=CONDITIONS)
def crop(asked: CropQuery, image_id: str) -> Response:
    """Get the pixels inside a box, a JPEG."""
    record = services().catalogue.get(asked.collection, image_id)
    return cut(_source(record), Box(*asked.box), asked.max_side, FOREVER)


@routes.get("/images/<image_id>/regions/<int:number>.jpg")
@operation("photos", AS_JPEG, query=RegionQuery, errors=(404, 416), headers=CONDITIONS)
def region(asked: RegionQuery, image_id: str, number: int) -> Response:
    """Get the pixels of an indexed region by its number, from 0, a JPEG.

    The number names another box once the photo is indexed with other options: caches ask again.
    """
    record = services().catalogue.get(asked.collection, image_id)
    regions = regions_of(record)
    if number >= len(regions):
        raise NotFound(f"The image has {len(regions)} regions; number {number} is not one of them.")
    return cut(_source(record), Box(*regions[number]["box"]), asked.max_side, ASK_AGAIN)


def _source(record: ImageRecord) -> Source:
    """Return what cuts are made of."""
    key = photo_key(record.collection, record.image_id)
    size = (record.width, record.height)
    return Source(record.image_id, *size, lambda: services().images.open(key))
