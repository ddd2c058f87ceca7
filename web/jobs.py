"""Jobs: list, poll, wait, page through the items, cancel."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from common.jobs import Job, Kind
from web import answers
from web.contract import Answer, operation
from web.links import job_url, next_page, with_links
from web.queries import JobsPage
from web.schemas import ItemsPage, Wait
from web.services import services

POLL_AFTER_S = 1
POSTED = {
    200: Answer(answers.Job, headers=("Location",)),
    202: Answer(answers.Job, headers=("Location", "Retry-After")),
}
"""The answers to a call that makes a job: it has ended already, or is to be polled."""
routes = Blueprint("jobs", __name__)


def job_answer(job: Job, *, created: bool = False) -> Response:
    """Return a job as an answer; a `created` one that has not ended is a 202 with where to poll."""
    body: dict[str, Any] = job.as_dict()
    if job.kind is Kind.SEARCH and job.result is not None:
        body["result"] = with_links(job)
    response = jsonify(body)
    if not job.status.final:
        response.headers["Retry-After"] = str(POLL_AFTER_S)
    if created:
        response.headers["Location"] = job_url(job.job_id)
        response.status_code = 200 if job.status.final else 202
    return response


@routes.get("/jobs")
@operation("jobs", {200: Answer(answers.Jobs, headers=("Link",))}, query=JobsPage)
def index(page: JobsPage) -> Response:
    """List the jobs, newest first, without their results.

    Where a `status` is asked for, a page may hold fewer jobs than `limit` and yet have a `next`
    one.
    """
    jobs = services().jobs.list
    found = jobs.page(page.place(), page.limit, kind=page.kind, status=page.status)
    total = jobs.count(page.kind) if page.status is None else None
    rows = [job.as_dict() for job in found.rows]
    for row in rows:
        del row["result"]
    return next_page("jobs", rows, found.next, total)


@routes.get("/jobs/<job_id>")
@operation("jobs", {200: Answer(answers.Job)}, query=Wait, errors=(404,))
def show(query: Wait, job_id: str) -> Response:
    """Show a job: how far it is, and its result once it has ended.

    With `wait` the answer comes when the job has ended, or after so many seconds.
    """
    return job_answer(services().jobs.wait(job_id, query.wait))


@routes.get("/jobs/<job_id>/items")
@operation("jobs", {200: Answer(answers.Items)}, query=ItemsPage, errors=(404,))
def items(page: ItemsPage, job_id: str) -> Response:
    """List how each photo of a job ended, and why one failed."""
    jobs = services().jobs
    job = jobs.get(job_id)
    found = jobs.items(job_id, offset=page.offset, limit=page.limit) if job.has_items else []
    total = job.total if job.has_items else 0
    return jsonify(items=[item.under(job.status).as_dict() for item in found], total=total)


@routes.delete("/jobs/<job_id>")
@operation("jobs", {200: Answer(answers.Job)}, errors=(404,))
def cancel(job_id: str) -> Response:
    """Cancel a job. Photos that it has indexed, or deleted, stay so."""
    return job_answer(services().jobs.cancel(job_id))
