"""The pictures that a search was made with: kept as long as its result is, for whoever reads it.

So that the link to a search shows, anywhere, what was looked for. What outlives the job in the
store is not answered any more, and goes when the job's name leaves the list of jobs
(`common/job_list.py`).
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from common import pictures
from common.errors import NotFound
from common.geometry import Box
from common.images import query_key
from common.jobs import Job, Kind
from web import pixels
from web.contract import operation
from web.queries import AskedQuery
from web.services import services

routes = Blueprint("asked", __name__)


@routes.get("/jobs/<job_id>/query")
@operation(
    "search", pixels.AS_POSTED, query=AskedQuery, errors=(404, 416), headers=pixels.CONDITIONS
)
def picture(asked: AskedQuery, job_id: str) -> Response:
    """Get a picture that was posted with a search, as long as its result is kept.

    The one that was searched for, or by `number` and `negative` one of the others, byte for byte.
    With `box` or `max_side`, a JPEG instead: that part of the upright picture, shrunk.
    """
    job = services().jobs.get(job_id)
    if asked.number >= _count(job, negative=asked.negative):
        raise NotFound("The job is no search with such an uploaded picture.")
    key = query_key(job_id, asked.number, negative=asked.negative)
    # The key names its content for good; a cache need not keep it longer than the service does.
    kept = f"private, max-age={services().settings.job_ttl_s}, immutable"
    content = services().images.open(key)
    header = pictures.inspect(content, max_pixels=services().settings.max_image_pixels)
    name = key.replace("/", "-")
    if asked.box is None and asked.max_side is None:
        return pixels.answer(lambda: content, header.media_type, name, kept)
    source = pixels.Source(name, header.width, header.height, lambda: content)
    return pixels.cut(source, Box(*asked.box) if asked.box else None, asked.max_side, kept)


def _count(job: Job, *, negative: bool = False) -> int:
    """Return how many pictures were posted with a search, of the one kind or the other."""
    details: Any = job.details if job.kind is Kind.SEARCH else {}
    return int(details.get("negative_files" if negative else "files", 0))
