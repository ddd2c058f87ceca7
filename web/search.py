"""`POST /search`: check the query, record the job, enqueue, wait for the answer."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response

from common.catalogue import check_encoder
from common.contract.fields import DEFAULT_COLLECTION, MOST_EXAMPLES
from common.contract.orders import SearchOrder
from common.contract.requests import (
    Example,
    QueryFields,
    SearchesFields,
    SearchFields,
    SearchRequest,
)
from common.disk import Use
from common.errors import NeedleError, NotFound, TextNotSupported
from common.geometry import Box
from common.images import query_folder, query_key
from common.jobs import Item, Kind
from common.pace import AT_ONCE, UNSAID
from common.queue import FETCH, FETCH_TASK, SEARCH, SEARCH_TASK
from common.s3.sources import is_object
from common.services import Services
from common.urls import LOOKUP_TIMEOUT_S, resolve
from common.vectors import filters
from web import idempotency, webhooks
from web.jobs import POSTED, job_answer
from web.operation import Body, Choice, FileField, operation
from web.services import services
from web.uploads import ImageFile, read_file
from web.waiting import waited

Kept = tuple[list[bytes], list[bytes]]
"""The files of a search, and those of what is not wanted."""
routes = Blueprint("search", __name__)
FILE, NOT_FILE = "file", "not_file"
_NO_IMAGE: dict[str, Any] = {"without": ("file", "url", "image_id", "box"), "off": ("detect",)}
BODY = Body(
    json=SearchRequest,
    form=SearchRequest,
    form_name="SearchForm",
    files={
        FILE: FileField(
            "The query, a small image. Several files are images of one thing; any of them will do.",
            MOST_EXAMPLES,
        ),
        NOT_FILE: FileField("Images of what is not wanted, like `negatives`.", MOST_EXAMPLES),
    },
    choices=(
        Choice(FILE, {}, without=("url", "image_id")),
        Choice("url", without=("file", "image_id")),
        Choice("image_id", without=("file", "url")),
        Choice("text", **_NO_IMAGE),
        Choice(
            "examples",
            {"minItems": 1},
            **_NO_IMAGE,
        ),
    ),
)


@routes.post("/search")
@operation(
    "search",
    POSTED,
    body=BODY,
    errors=(404, 409, 413, 415, 422, 429, 507),
    headers=(idempotency.HEADER,),
)
def post() -> Response:
    """Find the images that contain a query, a small image.

    The query is an image (a file, or one of `url` and `image_id`; `box` says which part of it), a
    text, or both mixed. More images of the same thing are `examples`, or further files. The answer
    is 200 with the result if that is there within `wait` seconds, else 202 with the job.
    """
    if not idempotency.given():
        check_load(services())
    options, files = BODY.read()
    search = Search(
        options,
        [read_file(file, services().settings) for file in files.getlist(FILE)],
        [read_file(file, services().settings) for file in files.getlist(NOT_FILE)],
    )

    def make(job_id: str) -> None:
        _check(services(), search)
        enqueue(services(), search.order(), search.kept(), job_id)

    job_id = idempotency.once(services(), make)
    return job_answer(waited(job_id, options.wait), created=True)


@dataclass(frozen=True)
class Search:
    """A search request: its fields, and the files that came with it."""

    options: SearchRequest
    files: list[ImageFile]
    negatives: list[ImageFile]

    def __post_init__(self) -> None:
        self.options.check_query(files=len(self.files), negative_files=len(self.negatives))

    def order(self) -> SearchOrder:
        """Return what the job carries."""
        return SearchOrder.model_construct(
            **{name: getattr(self.options, name) for name in SearchFields.model_fields},
            files=len(self.files),
            negative_files=len(self.negatives),
            filename=self.files[0].path if self.files else None,
        )

    def kept(self) -> Kept:
        """Return its files, and those of what is not wanted."""
        return [file.content for file in self.files], [file.content for file in self.negatives]


def _check(services: Services, search: Search) -> None:
    """Refuse now what the worker would refuse later."""
    options = search.options
    check_models(services, options)
    if search.files:
        header = search.files[0].header
        _check_box(options.box, header.width, header.height)
    check_examples(services, options.collection, (options, *options.examples, *options.negatives))
    filters.parse(options.filter)


def check_examples(
    services: Services, collection: str, examples: Iterable[QueryFields | Example]
) -> None:
    """Refuse a URL that nobody would download, an image that is not there, a box outside of it.

    All of them together are looked up for LOOKUP_TIMEOUT_S.
    """
    ends = time.monotonic() + LOOKUP_TIMEOUT_S
    for example in examples:
        _check_example(services, collection, example, ends)


def _check_example(
    services: Services, collection: str, example: QueryFields | Example, ends: float
) -> None:
    url, image_id = getattr(example, "url", None), getattr(example, "image_id", None)
    if url is not None and is_object(url):
        services.sources.check(url)
    elif url is not None:
        left_s = max(0.0, ends - time.monotonic())
        resolve(url, allowed_hosts=services.settings.allowed_hosts, timeout_s=left_s)
    if image_id is not None:
        record = services.catalogue.get(collection, image_id)
        _check_box(example.box, record.width, record.height)


def _check_box(box: tuple[int, int, int, int] | None, width: int, height: int) -> None:
    if box is not None:
        Box(*box).within(width, height)


def check_models(services: Services, options: SearchRequest | SearchesFields) -> None:
    """Refuse a collection that is not there or of another encoder, a text that has no side."""
    collection = services.catalogue.collection(options.collection)
    if collection is None and options.collection != DEFAULT_COLLECTION:
        raise NotFound(f"There is no collection '{options.collection}'.")
    models = services.beacons.models("search")
    if models is None:
        return
    check_encoder(collection, models["encoder"])
    if options.text is not None and not models["has_text"]:
        raise TextNotSupported(
            f"The models in use ({models['name']}) cannot search by text. Start Needle with "
            "NEEDLE_MODELS=standard, or with a folder whose encoder can."
        )


def check_load(services: Services, queue: str = SEARCH) -> None:
    """Raise Overloaded where a search would find no room, or wait too long for its turn."""
    services.queue.check_room(queue, 1)
    said = (beacon.models for beacon in services.beacons.live() if beacon.role == SEARCH)
    threads = sum(models.get(AT_ONCE, UNSAID) for models in said)
    services.pace.check(threads or UNSAID, services.settings.search_wait_s)


def enqueue(services: Services, order: SearchOrder, kept: Kept, job_id: str) -> None:
    """Store the query, record the job, then hand it to the queue; a failure leaves nothing."""
    # Threads of their own wait for strangers' servers: no search stands behind a slow URL.
    queue, task = (FETCH, FETCH_TASK) if order.urls() else (SEARCH, SEARCH_TASK)
    check_load(services, queue)
    webhook = webhooks.asked(services)
    files, negatives = kept
    services.disk.check(Use.ANSWER, sum(map(len, (*files, *negatives))))
    with services.beginnings.of(job_id, order.collection):
        try:
            for number, content in enumerate(files):
                services.images.put(query_key(job_id, number), content)
            for number, content in enumerate(negatives):
                services.images.put(query_key(job_id, number, negative=True), content)
            services.jobs.create(job_id, Kind.SEARCH, [Item(0, "query")], order.details(), webhook)
            services.queue.submit(task, queue, {"job_id": job_id})
        except NeedleError:
            services.images.delete_folder(query_folder(job_id))
            services.jobs.discard(job_id)
            raise
