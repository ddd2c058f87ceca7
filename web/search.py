"""`POST /search`: check the query, record the job, enqueue, wait for the answer."""

from __future__ import annotations

from flask import Blueprint, Response, request

from common.catalogue import check_encoder
from common.errors import BadRequest, InvalidBox, NeedleError, NotFound, TextNotSupported
from common.geometry import Box
from common.ids import new_job_id
from common.images import query_key
from common.jobs import Item, Kind
from common.queue import SEARCH, SEARCH_TASK
from common.services import Services
from common.urls import resolve
from common.vectors import filters
from web.jobs import job_answer
from web.schemas import DEFAULT_COLLECTION, SearchRequest, form_fields
from web.services import services
from web.uploads import Picture, read_file

routes = Blueprint("search", __name__)


@routes.post("/search")
def post() -> Response:
    """Search by file, URL, indexed image or text; 200 with the result within `wait`, else 202."""
    services().queue.check_room(SEARCH, 1)
    picture = None
    if request.is_json:
        options = SearchRequest.model_validate(request.get_json())
    else:
        if set(request.files) - {"file"}:
            raise BadRequest("The query goes into the multipart field 'file'.")
        options = SearchRequest.model_validate(form_fields(request.form.to_dict()))
        if "file" in request.files:
            picture = read_file(request.files["file"], services().settings)
    options.check_one_query(has_file=picture is not None)
    _check(services(), options, picture)
    job_id = _enqueue(services(), options, picture)
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


def _enqueue(services: Services, options: SearchRequest, picture: Picture | None) -> str:
    """Store the query, record the job, then hand it to the queue; a failure leaves nothing."""
    job_id = new_job_id()
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
    return job_id
