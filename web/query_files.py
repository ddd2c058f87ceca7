"""The files that were posted with a search: kept as long as its result is, for whoever reads it.

So that the link to a search shows, anywhere, what was looked for. What outlives the job in the
store is not answered any more, and goes when the job's name leaves the list of jobs
(`common/job_list.py`).
"""

from __future__ import annotations

from flask import Blueprint, Response

from common import pictures
from common.contract import orders
from common.contract.orders import SearchOrder
from common.contract.parameters import QueryFileQuery
from common.errors import NotFound
from common.geometry import Box
from common.images import query_key
from common.jobs import Job, Kind
from web import file_answers
from web.operation import operation
from web.services import services

routes = Blueprint("query", __name__)


@routes.get("/jobs/<job_id>/query")
@operation(
    "search",
    file_answers.AS_POSTED,
    query=QueryFileQuery,
    errors=(404, 416),
    headers=file_answers.CONDITIONS,
)
def file(parameters: QueryFileQuery, job_id: str) -> Response:
    """Get an image that was posted with a search, as long as the result is kept.

    The answer is the file that was searched for, or by `number` and `negative` one of the others,
    byte for byte. With `box` or `max_side` it is a JPEG instead: that part of the upright image,
    shrunk.
    """
    job = services().jobs.get(job_id)
    if parameters.number >= _count(job, negative=parameters.negative):
        raise NotFound("The job is no search with such a file.")
    key = query_key(job_id, parameters.number, negative=parameters.negative)
    # The key names its content for good; a cache need not keep it longer than the service does.
    kept = f"private, max-age={services().settings.job_ttl_s}, immutable"
    content = services().images.open(key)
    header = pictures.inspect(content, max_pixels=services().settings.max_image_pixels)
    name = key.replace("/", "-")
    if parameters.box is None and parameters.max_side is None:
        return file_answers.answer(lambda: content, header.media_type, name, kept)
    source = file_answers.Source(name, header.width, header.height, lambda: content)
    return file_answers.cut(
        source, Box(*parameters.box) if parameters.box else None, parameters.max_side, kept
    )


def _count(job: Job, *, negative: bool = False) -> int:
    """Return how many files were posted with a search, of the one kind or the other."""
    if job.kind is not Kind.SEARCH:
        return 0
    order = orders.of(job, SearchOrder)
    return order.negative_files if negative else order.files
