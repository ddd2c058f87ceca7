"""`POST /search`: check the query, record the job, enqueue, wait for the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response

from common.catalogue import check_encoder
from common.errors import InvalidBox, NeedleError, NotFound, TextNotSupported
from common.geometry import Box
from common.images import query_folder, query_key
from common.jobs import Item, Kind
from common.queue import SEARCH, SEARCH_TASK
from common.services import Services
from common.urls import resolve
from common.vectors import filters
from web import idempotency
from web.contract import Body, Choice, operation
from web.jobs import POSTED, job_answer
from web.schemas import DEFAULT_COLLECTION, MOST_EXAMPLES, Corners, SearchRequest
from web.services import services
from web.uploads import Picture, read_file

routes = Blueprint("search", __name__)
PICTURE, NOT_PICTURE = "file", "not_file"
_NO_PICTURE: dict[str, Any] = {"without": ("file", "url", "image_id", "box"), "off": ("detect",)}
BODY = Body(
    json=SearchRequest,
    form=SearchRequest,
    files=dict.fromkeys((PICTURE, NOT_PICTURE), MOST_EXAMPLES),
    choices=(
        Choice(PICTURE, {}, without=("url", "image_id")),
        Choice("url", without=("file", "image_id")),
        Choice("image_id", without=("file", "url")),
        Choice("text", **_NO_PICTURE),
        Choice(
            "examples",
            {"minItems": 1},
            **_NO_PICTURE,
        ),
    ),
)


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

    What is searched for: a picture (a file, or one of `url` and `image_id`; `box` says which part
    of it), a text, or both mixed; more pictures of the same thing as `examples`, or as further
    files. Answered with 200 and the result if it is there within `wait` seconds, else with 202
    and the job.
    """
    if not idempotency.given():
        services().queue.check_room(SEARCH, 1)
    options, files = BODY.read()
    asked = Asked(
        options,
        [read_file(file, services().settings) for file in files.getlist(PICTURE)],
        [read_file(file, services().settings) for file in files.getlist(NOT_PICTURE)],
    )

    def make(job_id: str) -> None:
        _check(services(), asked)
        _enqueue(services(), asked, job_id)

    job_id = idempotency.once(services(), make)
    return job_answer(services().jobs.wait(job_id, options.wait), created=True)


@dataclass(frozen=True)
class Asked:
    """A search request: its fields, and the pictures that came with it."""

    options: SearchRequest
    pictures: list[Picture]
    negatives: list[Picture]

    def __post_init__(self) -> None:
        self.options.check_query(files=len(self.pictures), negative_files=len(self.negatives))


def _check(services: Services, asked: Asked) -> None:
    """Refuse now what the worker would refuse later."""
    options = asked.options
    _check_models(services, options)
    if asked.pictures:
        header = asked.pictures[0].header
        _check_box(options.box, header.width, header.height)
    for example in (options, *options.examples, *options.negatives):
        url, image_id = getattr(example, "url", None), getattr(example, "image_id", None)
        if url is not None:
            resolve(url, allowed_hosts=services.settings.allowed_hosts)
        if image_id is not None:
            record = services.catalogue.get(options.collection, image_id)
            _check_box(example.box, record.width, record.height)


def _check_box(box: Corners | None, width: int, height: int) -> None:
    if box is not None and not Box(*box).inside(width, height):
        raise InvalidBox(
            f"The box {list(box)} must be x1 < x2, y1 < y2 and lie inside "
            f"the image of {width} x {height} pixels."
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


def _enqueue(services: Services, asked: Asked, job_id: str) -> None:
    """Store the query, record the job, then hand it to the queue; a failure leaves nothing."""
    services.queue.check_room(SEARCH, 1)
    details = asked.options.model_dump(mode="json", exclude={"wait", "filter"})
    details["filter"] = filters.as_json(filters.parse(asked.options.filter))
    details |= {"files": len(asked.pictures), "negative_files": len(asked.negatives)}
    details["filename"] = asked.pictures[0].name if asked.pictures else None
    try:
        for number, picture in enumerate(asked.pictures):
            services.images.put(query_key(job_id, number), picture.content)
        for number, picture in enumerate(asked.negatives):
            services.images.put(query_key(job_id, number, negative=True), picture.content)
        services.jobs.create(job_id, Kind.SEARCH, [Item(0, "query")], details)
        services.queue.submit(SEARCH_TASK, SEARCH, {"job_id": job_id})
    except NeedleError:
        services.images.delete(query_folder(job_id))
        services.jobs.discard(job_id)
        raise
