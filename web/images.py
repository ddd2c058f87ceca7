"""Images: post, list, show, delete."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from pydantic import TypeAdapter

from common.catalogue import ImageRecord
from common.contract import answers
from common.contract.fields import Sort
from common.contract.parameters import Change, ImagesPage, InCollection
from common.contract.requests import ImageChanges, IndexFields, UrlsRequest
from common.disk import Use
from common.errors import BadRequest, NotFound, TooLarge
from common.images import old_regions_key, regions_key
from common.regions import ListedRegion, RegionList
from common.vectors import filters
from web import idempotency, ingest, shown, sorting
from web.jobs import POSTED, job_answer
from web.operation import Answer, Body, FileField, operation
from web.removal import remove
from web.responses import images_page, respond
from web.selection import wanted
from web.services import services
from web.waiting import waited

routes = Blueprint("images", __name__)
BODY = Body(
    json=UrlsRequest,
    form=IndexFields,
    form_name="IndexForm",
    files={"files": FileField("The images, or zip or tar archives of images.")},
    needs_file=True,
)
CHANGES = Body(json=ImageChanges)
_REGIONS = TypeAdapter(list[answers.FoundRegion])


@routes.post("/images")
@operation(
    "images",
    POSTED,
    body=BODY,
    errors=(409, 413, 415, 422, 429, 507),
    headers=(idempotency.HEADER,),
)
def post() -> Response:
    """Index images.

    They come as files, as archives (zip, tar), or as URLs that the service downloads. The answer is
    the job that indexes them. An image that was posted before is not indexed again, since its id
    comes from its bytes: it gains the path and the metadata that it comes with.
    """
    length = request.content_length or 0
    if length > services().settings.max_request_bytes:  # or the disk would be blamed for it
        raise TooLarge("The request is too large.")
    if not idempotency.given():
        # Refuse before the body is read when nothing can be enqueued.
        services().queue.check_room("index", 1)
        services().disk.check(Use.ACCEPT, length)
    options, files = BODY.read()
    if not files and not isinstance(options, UrlsRequest):
        raise BadRequest("Images go into the multipart field 'files', or into JSON as 'urls'.")

    def make(job_id: str) -> None:
        if isinstance(options, UrlsRequest):
            ingest.ingest_urls(services(), options, job_id)
        else:
            ingest.ingest_files(services(), files.getlist("files"), options, job_id)

    job_id = idempotency.once(services(), make)
    return job_answer(services().jobs.get(job_id), created=True)


@routes.get("/images")
@operation("images", {200: Answer(answers.Images, headers=("Link",))}, query=ImagesPage)
def index(page: ImagesPage) -> Response:
    """List the indexed images, newest first unless `sort` says otherwise.

    With a `name` or a `filter`, a page may hold fewer images than `limit` and yet have a `next`
    one.
    """
    catalogue = services().catalogue
    keep = wanted(page.name, filters.parse(page.filter))
    if page.ids is not None:
        named = catalogue.find(page.collection, page.ids)
        there = [named[one] for one in dict.fromkeys(page.ids) if one in named]
        rows = [r for r in there if r.indexed_at is not None and (keep is None or keep(r))]
        part = rows[page.offset : page.offset + page.limit]
        return images_page([shown.image(record) for record in part], None, len(rows))
    if page.sort is not Sort.NEWEST:
        ordered = sorting.page(catalogue, page, keep)
        return images_page([shown.image(r) for r in ordered.rows], ordered.next, ordered.total)
    found = catalogue.page(page.collection, page.place(), page.limit, keep=keep)
    total = catalogue.count(page.collection) if keep is None else None
    return images_page([shown.image(record) for record in found.rows], found.next, total)


@routes.get("/images/<image_id>")
@operation("images", {200: Answer(answers.ImageWithRegions)}, query=InCollection, errors=(404,))
def show(parameters: InCollection, image_id: str) -> Response:
    """Show an image with its regions."""
    record = services().catalogue.get(parameters.collection, image_id)
    return respond(shown.image_with_regions(record, regions_of(record)))


@routes.patch("/images/<image_id>")
@operation("images", POSTED, query=Change, body=CHANGES, errors=(404, 409, 415, 429))
def change(parameters: Change, image_id: str) -> Response:
    """Change an image's metadata.

    What is named is replaced or removed, the rest stays. A job writes it into the index, with the
    options that the image was indexed with; the answer is held until that has ended, at most `wait`
    seconds.
    """
    changes, _ = CHANGES.read()
    record = services().catalogue.get(parameters.collection, image_id)
    job_id = ingest.change(services(), record, changes.metadata)
    return job_answer(waited(job_id, parameters.wait), created=True)


@routes.delete("/images/<image_id>")
@operation("images", POSTED, query=Change, errors=(404,))
def delete(parameters: Change, image_id: str) -> Response:
    """Delete an image: its file, its regions and all else of it.

    No search finds it from now on. A job removes the rest; the answer is held until that has ended,
    at most `wait` seconds.
    """
    record = services().catalogue.get(parameters.collection, image_id)
    return job_answer(waited(remove(services(), record), parameters.wait), created=True)


def regions_of(record: ImageRecord) -> list[answers.FoundRegion]:
    """Return an image's regions, none while it waits to be indexed."""
    if record.indexed_at is None:
        return []
    images, name = services().images, record.image_id
    try:
        kept = RegionList(images.open(regions_key(record.collection, name)))
    except NotFound:  # written by an earlier version
        return _REGIONS.validate_json(images.open(old_regions_key(record.collection, name)))
    return [answers.FoundRegion.model_validate(_told(region)) for region in kept]


def _told(region: ListedRegion) -> dict[str, Any]:
    return {**vars(region), "box": region.box.as_list()}
