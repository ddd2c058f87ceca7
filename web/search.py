"""`POST /search`: check the query, record the job, enqueue, wait for the answer."""

from __future__ import annotations

from flask import Blueprint, Response

from common.catalogue import check_encoder
from common.errors import InvalidBox, NeedleError, NotFound, TextNotSupported
from common.geometry import Box
from common.images import query_key
from common.jobs import Item, Kind
from common.queue import SEARCH, SEARCH_TASK
from common.services import Services
from common.urls import resolve
from common.vectors import filters
from web import idempotency
from web.contract import Body, operation
from web.jobs import POSTED, job_answer
from web.schemas import DEFAULT_COLLECTION, SearchRequest
from web.services import services
from web.uploads import Picture, read_file

routes = Blueprint("search", __name__)
BODY = Body(json=SearchRequest, form=SearchRequest, file="file", one_of=("url", "image_id", "text"))


@routes.post("/search")
@operation(
    "search",
    POSTED,
    body=BODY,
    errors=(404, 409, 413, 415, 422, 429),
    headers=(idempotency.HEADER,),
)
def post() -> Response:
    """Find the photos that contain a small picture.

    By a file, or by one of `url`, `image_id` and `text`; `box` says which part of it. Answered
    with 200 and the result if it is there within `wait` seconds, else with 202 and the job.
    """
    if not idempotency.given():
        services().queue.check_room(SEARCH, 1)
    options, files = BODY.read()
    picture = read_file(files[0], services().settings) if files else None
    options.check_one_query(has_file=picture is not None)

    def make(job_id: str) -> None:
        _check(services(), options, picture)
        _enqueue(services(), options, picture, job_id)

    job_id = idempotency.once(services(), make)
    return job_answer(services().jobs.wait(job_id, options.wait), created=True)


def _check(services: Services, options: SearchRequest, picture: Picture | None) -> None:
    """Refuse now what the worker would refuse later."""
    _check_models(services, options)
    if options.url is not None:
        resolve(options.url, allowed_hosts=services.settings.allowed_hosts)
    size = None
    if picture is not None:
        size = (picture.header.width, picture.header.height)
    elif options.image_id is not None:
        record = services.catalogue.get(options.collection, options.image_id)
        size = (record.width, record.height)
    if options.box is not None and size is not None and not Box(*options.box).inside(*size):
        raise InvalidBox(
            f"The box {list(options.box)} must be x1 < x2, y1 < y2 and lie inside "
            f"the image of {size[0]} x {size[1]} pixels."
        )


def _check_models(services: Services, options: SearchRequest) -> None:
    collection = services.catalogue.collection(options.collection)
    if collection is None and options.collection != DEFAULT_COLLECTION:
        raise NotFound(f"There is no collection '{options.collection}'.")
    models = services.beacons.models()
    if models is None:
        return
    check_encoder(collection, models["encoder"])
    if options.text is not None and not models["has_text"]:
        raise TextNotSupported(
            f"The model pack in use, '{models['name']}', has no text side; start Needle with "
            "NEEDLE_MODELS=standard, or with a folder whose encoder has one."
        )


def _enqueue(
    services: Services, options: SearchRequest, picture: Picture | None, job_id: str
) -> None:
    """Store the query, record the job, then hand it to the queue; a failure leaves nothing."""
    services.queue.check_room(SEARCH, 1)
    details = options.model_dump(mode="json", exclude={"wait", "filter"})
    details["filter"] = filters.as_json(filters.parse(options.filter))
    if picture is not None:
        services.images.put(query_key(job_id), picture.content)
    try:
        services.jobs.create(job_id, Kind.SEARCH, [Item(0, "query")], details)
        services.queue.submit(SEARCH_TASK, SEARCH, {"job_id": job_id})
    except NeedleError:
        services.images.delete(query_key(job_id))
        services.jobs.discard(job_id)
        raise
