"""Images: post, list, show, delete."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, jsonify

from common.catalogue import ImageRecord
from common.errors import BadRequest
from common.images import regions_key
from common.vectors import filters
from web import answers, idempotency
from web.contract import Answer, Body, operation
from web.ingest import ingest_files, ingest_urls
from web.jobs import POSTED, job_answer
from web.links import crop_url, image_urls, next_page
from web.queries import Deletion, ImagesPage
from web.removal import remove
from web.schemas import InCollection, IndexRequest, UrlsRequest
from web.selection import wanted
from web.services import services

routes = Blueprint("images", __name__)
BODY = Body(json=UrlsRequest, form=IndexRequest, files={"files": None}, needs_file=True)


@routes.post("/images")
@operation(
    "images",
    POSTED,
    body=BODY,
    errors=(409, 413, 415, 422, 429),
    headers=(idempotency.HEADER,),
)
def post() -> Response:
    """Index photos.

    Files, archives of them (zip, tar), or URLs that the service downloads. Answered with the job
    that indexes them. A photo that was posted before changes nothing: its id comes from its bytes.
    """
    if not idempotency.given():
        # Refuse before the body is read when nothing can be enqueued.
        services().queue.check_room("index", 1)
    options, files = BODY.read()
    if not files and not isinstance(options, UrlsRequest):
        raise BadRequest("Photos go into the multipart field 'files', or into JSON as 'urls'.")

    def make(job_id: str) -> None:
        if isinstance(options, UrlsRequest):
            ingest_urls(services(), options, job_id)
        else:
            ingest_files(services(), files.getlist("files"), options, job_id)

    job_id = idempotency.once(services(), make)
    return job_answer(services().jobs.get(job_id), created=True)


@routes.get("/images")
@operation("images", {200: Answer(answers.Images, headers=("Link",))}, query=ImagesPage)
def index(page: ImagesPage) -> Response:
    """List the indexed photos, newest first.

    `name` looks for a part of the file's name, upper or lower case; `filter` for metadata, as a
    search does. Where either is given, a page may hold fewer photos than `limit` and yet have a
    `next` one.
    """
    catalogue = services().catalogue
    keep = wanted(page.name, filters.parse(page.filter))
    found = catalogue.page(page.collection, page.place(), page.limit, keep=keep)
    total = catalogue.count(page.collection) if keep is None else None
    return next_page("images", [_as_dict(record) for record in found.rows], found.next, total)


@routes.get("/images/<image_id>")
@operation("images", {200: Answer(answers.ImageWithRegions)}, query=InCollection, errors=(404,))
def show(asked: InCollection, image_id: str) -> Response:
    """Show a photo with its regions."""
    record = services().catalogue.get(asked.collection, image_id)
    regions = [
        {**region, "urls": {"crop": crop_url(image_id, record.collection, region["box"])}}
        for region in regions_of(record)
    ]
    return jsonify({**_as_dict(record), "regions": regions})


@routes.delete("/images/<image_id>")
@operation("images", POSTED, query=Deletion, errors=(404,))
def delete(asked: Deletion, image_id: str) -> Response:
    """Delete a photo: its file, its regions and all else of it.

    It is found no more from now on. The rest is a job, for whose end the answer waits up to `wait`
    seconds.
    """
    record = services().catalogue.get(asked.collection, image_id)
    return job_answer(remove(services(), record, wait_s=asked.wait), created=True)


def regions_of(record: ImageRecord) -> list[dict[str, Any]]:
    """Return an image's regions, none while it waits to be indexed."""
    if record.indexed_at is None:
        return []
    found: list[dict[str, Any]] = json.loads(
        services().images.open(regions_key(record.collection, record.image_id))
    )
    return found


def _as_dict(record: ImageRecord) -> dict[str, Any]:
    return {**record.as_dict(), "urls": image_urls(record.image_id, record.collection)}
