"""`POST /searches`: many queries become one job, which searches carry out behind all others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from flask import Blueprint, Response, request
from werkzeug.datastructures import FileStorage

from common.beginnings import GoesOn
from common.contract.fields import MOST_EXAMPLES
from common.contract.orders import SearchesOrder
from common.contract.queries import NamedQueries, UrlQuery
from common.contract.requests import SearchesFields
from common.disk import Use
from common.errors import BadRequest, InvalidUrl, NeedleError, TooLarge
from common.images import WriteBehind, query_folder, query_key
from common.jobs import Item, Kind
from common.queue import SEARCHES, SEARCHES_TASK
from common.services import Services
from common.vectors import filters
from web import chunks, idempotency, webhooks
from web.client import client_is_there
from web.ingest import bad_urls, listed, nothing_to_do
from web.jobs import POSTED, job_answer
from web.operation import Body, FileField, operation
from web.search import NOT_FILE, check_examples, check_models
from web.services import services
from web.uploads import ImageFile, Refused, read_file, read_uploads

routes = Blueprint("searches", __name__)
FILES = "files"
LEAST_CHUNKS = 16
"""Of a folder of queries all threads of all workers are to have some, until the end."""
BODY = Body(
    json=NamedQueries,
    form=SearchesFields,
    form_name="SearchesForm",
    files={
        FILES: FileField("The queries, small images, or zip or tar archives of them."),
        NOT_FILE: FileField("Images of what is not wanted, like `negatives`.", MOST_EXAMPLES),
    },
    needs_file=True,
)


@routes.post("/searches")
@operation(
    "search",
    POSTED,
    body=BODY,
    errors=(404, 409, 413, 415, 422, 429, 507),
    headers=(idempotency.HEADER,),
)
def post() -> Response:
    """Search for many queries, each by itself, as one job.

    They come as files, as archives (zip, tar), or in JSON as URLs that the service downloads and
    ids of indexed images. The answer is the job: its items are the queries. Searches that somebody
    waits for go before it. What was found is at `/jobs/{id}/results`, and as a table at
    `/jobs/{id}/results.csv`, from the first answer on.
    """
    length = request.content_length or 0
    if length > services().settings.max_request_bytes:
        raise TooLarge("The request is too large.")
    if not idempotency.given():
        services().queue.check_room(SEARCHES, 1)
        services().disk.check(Use.ACCEPT, length)
    options, files = BODY.read()
    if not files.getlist(FILES) and not isinstance(options, NamedQueries):
        raise BadRequest("Queries go into the multipart field 'files', or into JSON as 'queries'.")
    negatives = files.getlist(NOT_FILE)
    if len(negatives) > MOST_EXAMPLES:
        raise BadRequest(f"At most {MOST_EXAMPLES} files go into one field of a search.")
    unwanted = [read_file(file, services().settings) for file in negatives]

    def make(job_id: str) -> None:
        _check(services(), options)
        webhook = webhooks.asked(services())
        with services().beginnings.of(job_id, options.collection) as goes_on:
            try:
                if isinstance(options, NamedQueries):
                    items = _named(services(), options)
                else:
                    items = _stored(services(), files.getlist(FILES), job_id, goes_on)
                order = _order(options, items, unwanted)
                for number, file in enumerate(unwanted):
                    services().images.put(query_key(job_id, number, negative=True), file.content)
                _enqueue(services(), items, order, job_id, goes_on, webhook)
            except BaseException:
                with suppress(NeedleError):  # as far as the stores let
                    services().jobs.discard(job_id)
                    services().images.delete_folder(query_folder(job_id))
                raise

    job_id = idempotency.once(services(), make)
    return job_answer(services().jobs.get(job_id), created=True)


def _check(services: Services, options: SearchesFields) -> None:
    """Refuse now what would make every query fail."""
    check_models(services, options)
    check_examples(services, options.collection, options.negatives)
    filters.parse(options.filter)


def _order(
    options: SearchesFields, items: Sequence[Item], unwanted: Sequence[ImageFile]
) -> SearchesOrder:
    return SearchesOrder.model_construct(
        **{name: getattr(options, name) for name in SearchesFields.model_fields},
        files=not isinstance(options, NamedQueries),
        negative_files=len(unwanted),
    )


def _stored(
    services: Services, files: Iterable[FileStorage], job_id: str, goes_on: GoesOn
) -> list[Item]:
    """Store the queries and return the job's items; a file that is no image is one that failed.

    Raises the first one's fault where none is an image.
    """
    items: list[Item] = []
    refused: list[Refused] = []
    with WriteBehind(services.images) as write:
        for found in read_uploads(files, services.settings, is_there=client_is_there, pages=False):
            goes_on()
            item = Item(len(items), found.path)
            if isinstance(found, Refused):
                refused.append(found)
                items.append(item.failed(found.error))
                continue
            services.disk.check(Use.ACCEPT, len(found.content))
            put = partial(services.images.put, query_key(job_id, item.index), found.content)
            write(put, len(found.content))
            items.append(item)
    if len(refused) == len(items):
        raise nothing_to_do(refused, "The request holds no query.")
    return items


def _named(services: Services, options: NamedQueries) -> list[Item]:
    """Return the items of queries that are named. Raises InvalidUrl where all are bad URLs."""
    if len(options.queries) > services.settings.max_items_per_job:
        most = services.settings.max_items_per_job
        raise TooLarge(f"A request may hold at most {most:,} queries.")
    items = [
        Item(n, query.url)
        if isinstance(query, UrlQuery)
        else Item(n, query.image_id, query.image_id)
        for n, query in enumerate(options.queries)
    ]
    bad = bad_urls(services, [item.name for item in items if item.image_id is None])
    faults = [(i.name, bad[i.name]) for i in items if i.image_id is None and i.name in bad]
    if len(faults) == len(items):
        raise InvalidUrl(faults[0][1].message, items=listed(faults))
    return [
        item.failed(bad[item.name]) if item.image_id is None and item.name in bad else item
        for item in items
    ]


def _enqueue(
    services: Services,
    items: Sequence[Item],
    order: SearchesOrder,
    job_id: str,
    goes_on: GoesOn,
    webhook: str | None,
) -> None:
    """Record the job, then hand its chunks to the queue."""
    chunks.check_room(services, SEARCHES, len(items), least=LEAST_CHUNKS)
    services.jobs.create(job_id, Kind.SEARCHES, items, order.details(), webhook)
    count = len(items)
    chunks.submit(services, SEARCHES_TASK, SEARCHES, job_id, count, goes_on, least=LEAST_CHUNKS)
