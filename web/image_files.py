"""The files of images: the file as it was posted, its thumbnail, crops.

An image's id comes from its bytes, so that what is behind most of these URLs never changes: a
browser may keep it for good. Each answer has an ETag; 304 is answered without reading or decoding
anything. Where images are in a bucket and the settings want it, a whole file and a thumbnail are
answered with the way there (302), a URL that holds for a while.
"""

from __future__ import annotations

import hashlib

from flask import Blueprint, Response

from common.catalogue import ImageRecord
from common.contract.parameters import CropQuery, FileQuery, InCollection, RegionQuery
from common.errors import NotFound
from common.geometry import Box
from common.images import image_key, thumbnail_key
from web.file_answers import (
    AS_JPEG,
    AS_POSTED,
    CONDITIONS,
    ELSEWHERE,
    JPEG,
    Source,
    answer,
    cut,
)
from web.images import regions_of
from web.operation import operation
from web.services import services
from web.stored_files import redirected, stored

FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"

routes = Blueprint("files", __name__)


@routes.get("/images/<image_id>/file")
@operation("files", AS_POSTED | ELSEWHERE, query=FileQuery, errors=(404, 416), headers=CONDITIONS)
def file(parameters: FileQuery, image_id: str) -> Response:
    """Get the file of an image, byte for byte as it was posted.

    A service that hands out signed URLs answers 302; follow it, without the key. With `box` or
    `max_side` the answer is a JPEG instead: that part of the upright image, shrunk until neither
    side is longer than `max_side` pixels.
    """
    record = services().catalogue.get(parameters.collection, image_id)
    if parameters.box is not None or parameters.max_side is not None:
        box = Box(*parameters.box) if parameters.box else None
        return cut(_source(record), box, parameters.max_side, FOREVER)
    key = image_key(record.collection, image_id)
    return stored(key, record.media_type, image_id, FOREVER)


@routes.get("/images/<image_id>/thumbnail")
@operation("files", AS_JPEG | ELSEWHERE, query=InCollection, errors=(404, 416), headers=CONDITIONS)
def thumbnail(parameters: InCollection, image_id: str) -> Response:
    """Get the thumbnail of an image, a JPEG of at most 320 pixels a side."""
    record = services().catalogue.get(parameters.collection, image_id)
    key = thumbnail_key(record.collection, image_id)
    elsewhere = redirected(key, JPEG)
    if elsewhere is not None:
        return elsewhere
    content = services().images.open(key)
    etag = hashlib.sha256(content).hexdigest()[:32]
    return answer(lambda: content, JPEG, etag, FOREVER)


@routes.get("/images/<image_id>/crop")
@operation("files", AS_JPEG, query=CropQuery, errors=(404, 416), headers=CONDITIONS)
def crop(parameters: CropQuery, image_id: str) -> Response:
    """Get the pixels inside a box of an image, a JPEG."""
    record = services().catalogue.get(parameters.collection, image_id)
    return cut(_source(record), Box(*parameters.box), parameters.max_side, FOREVER)


@routes.get("/images/<image_id>/regions/<int:number>.jpg")
@operation("files", AS_JPEG, query=RegionQuery, errors=(404, 416), headers=CONDITIONS)
def region(parameters: RegionQuery, image_id: str, number: int) -> Response:
    """Get the pixels of an indexed region by its number, from 0, a JPEG.

    The number names another box once the image is indexed with other options: caches ask again.
    """
    record = services().catalogue.get(parameters.collection, image_id)
    regions = regions_of(record)
    if number >= len(regions):
        raise NotFound(f"The image has {len(regions)} regions; number {number} is not one of them.")
    return cut(_source(record), Box(*regions[number].box), parameters.max_side, ASK_AGAIN)


def _source(record: ImageRecord) -> Source:
    """Return what cuts are made of."""
    key = image_key(record.collection, record.image_id)
    size = (record.width, record.height)
    return Source(record.image_id, *size, lambda: services().images.open(key))
