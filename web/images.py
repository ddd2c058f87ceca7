"""Images: post, list, show, fetch, delete."""

from __future__ import annotations

import json
import threading
from typing import Any

from flask import Blueprint, Response, jsonify, request

from common import pictures
from common.catalogue import ImageRecord
from common.errors import BadRequest, InvalidBox, NotFound
from common.geometry import Box
from common.images import photo_key, regions_key, thumbnail_key
from web.ingest import ingest_files, ingest_urls
from web.jobs import job_answer
from web.links import crop_url, image_urls
from web.removal import remove
from web.schemas import (
    CropQuery,
    InCollection,
    IndexRequest,
    Page,
    UrlsRequest,
    Wait,
    form_fields,
)
from web.services import services

CROP_SIDE_PX = 1024
DELETE_WAIT_S = 10.0
routes = Blueprint("images", __name__)
# Decoding holds a whole photo; one at a time keeps the process small.
_decoding = threading.Lock()


@routes.post("/images")
def post() -> Response:
    """Take photos (files, archives or URLs) and answer with the job that indexes them."""
    # Refuse before the body is read when nothing can be enqueued.
    services().queue.check_room("index", 1)
    if request.is_json:
        body = request.get_json()
        return job_answer(ingest_urls(services(), UrlsRequest.model_validate(body)), created=True)
    unknown = set(request.files) - {"files"}
    if unknown or not request.files:
        raise BadRequest("Photos go into the multipart field 'files', or into JSON as 'urls'.")
    options = IndexRequest.model_validate(form_fields(request.form.to_dict()))
    job = ingest_files(services(), request.files.getlist("files"), options)
    return job_answer(job, created=True)


@routes.get("/images")
def index() -> Response:
    """Return a page of the indexed images, newest first."""
    page = Page.model_validate(request.args.to_dict())
    catalogue = services().catalogue
    records = catalogue.page(page.collection, offset=page.offset, limit=page.limit)
    found = [_as_dict(record) for record in records]
    return jsonify(images=found, total=catalogue.count(page.collection))


@routes.get("/images/<image_id>")
def show(image_id: str) -> Response:
    """Return an image with its regions."""
    record = _record(image_id, InCollection.model_validate(request.args.to_dict()).collection)
    regions = [
        {**region, "urls": {"crop": crop_url(image_id, record.collection, region["box"])}}
        for region in _regions(record)
    ]
    return jsonify({**_as_dict(record), "regions": regions})


@routes.delete("/images/<image_id>")
def delete(image_id: str) -> Response:
    """Remove an image, its regions and its files."""
    args = request.args.to_dict()
    wait = Wait.model_validate({"wait": args.pop("wait", DELETE_WAIT_S)}).wait
    record = _record(image_id, InCollection.model_validate(args).collection)
    return job_answer(remove(services(), record, wait_s=wait), created=True)


@routes.get("/images/<image_id>/file")
def file(image_id: str) -> Response:
    """Return the photo, byte for byte as it was posted."""
    record = _record(image_id, InCollection.model_validate(request.args.to_dict()).collection)
    content = services().images.open(photo_key(record.collection, image_id))
    return _picture(content, record.media_type, image_id)


@routes.get("/images/<image_id>/thumbnail")
def thumbnail(image_id: str) -> Response:
    """Return the photo's thumbnail, a JPEG."""
    record = _record(image_id, InCollection.model_validate(request.args.to_dict()).collection)
    content = services().images.open(thumbnail_key(record.collection, image_id))
    return _picture(content, "image/jpeg", f"{image_id}-thumbnail")


@routes.get("/images/<image_id>/crop")
def crop(image_id: str) -> Response:
    """Return the pixels inside `box`, a JPEG of at most 1024 pixels a side."""
    query = CropQuery.model_validate(request.args.to_dict())
    return _crop(_record(image_id, query.collection), Box(*query.box))


@routes.get("/images/<image_id>/regions/<int:number>.jpg")
def region(image_id: str, number: int) -> Response:
    """Return the crop of the image's region of that number, from 0."""
    record = _record(image_id, InCollection.model_validate(request.args.to_dict()).collection)
    regions = _regions(record)
    if number >= len(regions):
        raise NotFound(f"The image has {len(regions)} regions; number {number} is not one of them.")
    return _crop(record, Box(*regions[number]["box"]))


def _crop(record: ImageRecord, box: Box) -> Response:
    if not box.inside(record.width, record.height):
        raise InvalidBox(
            f"The box {box.as_list()} must be x1 < x2, y1 < y2 and lie inside "
            f"the image of {record.width} x {record.height} pixels."
        )
    settings = services().settings
    content = services().images.open(photo_key(record.collection, record.image_id))
    with _decoding:
        photo = pictures.decode(content, max_pixels=settings.max_image_pixels)
        cut = pictures.crop(photo, box)
    cut.thumbnail((CROP_SIDE_PX, CROP_SIDE_PX))
    return _picture(pictures.jpeg(cut), "image/jpeg", f"{record.image_id}-{box.as_list()}")


def _record(image_id: str, collection: str) -> ImageRecord:
    return services().catalogue.get(collection, image_id)


def _as_dict(record: ImageRecord) -> dict[str, Any]:
    return {**record.as_dict(), "urls": image_urls(record.image_id, record.collection)}


def _regions(record: ImageRecord) -> list[dict[str, Any]]:
    """Return the image's regions, none while it waits to be indexed."""
    if record.indexed_at is None:
        return []
    found: list[dict[str, Any]] = json.loads(
        services().images.open(regions_key(record.collection, record.image_id))
    )
    return found


def _picture(content: bytes, media_type: str, etag: str) -> Response:
    """Answer with a picture. Its URL names its content, so that it may be kept."""
    response = Response(content, mimetype=media_type)
    response.headers["Cache-Control"] = "private, max-age=86400"
    response.set_etag(etag)
    return response.make_conditional(request)  # type: ignore[return-value]
