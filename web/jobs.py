"""Jobs: list, poll, wait, page through the items, cancel."""

from __future__ import annotations

from flask import Blueprint, Response

from common.contract import answers
from common.contract.orders import ends_by_items
from common.contract.parameters import ItemsPage, JobsPage, Wait
from common.jobs import Job, Kind, Status
from common.keys import Scope
from common.log import add_context
from common.queue import STORE, SWEEP_TASK
from web import access, shown
from web.links import job_url
from web.operation import Answer, operation
from web.responses import jobs_page, respond
from web.services import services
from web.waiting import waited

POLL_AFTER_S = 1
POSTED = {
    200: Answer(answers.Job, headers=("Location",)),
    202: Answer(answers.Job, headers=("Location", "Retry-After")),
}
"""The answers to a call that makes a job: it has ended already, or is to be polled."""
OF_READERS = frozenset({Kind.SEARCH, Kind.SEARCHES})
"""Jobs that a key may post that only reads: it may cancel them as well."""
routes = Blueprint("jobs", __name__)


def job_answer(job: Job, *, created: bool = False) -> Response:
    """Return a job as an answer; a `created` one that has not ended is a 202 with where to poll."""
    add_context(job_id=job.job_id)  # the audit's line comes after it
    response = respond(shown.whole_job(job))
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

    With a `status`, a page may hold fewer jobs than `limit` and yet have a `next` one.
    """
    jobs = services().jobs.list
    found = jobs.page(page.place(), page.limit, kind=page.kind, status=page.status)
    total = jobs.count(page.kind) if page.status is None else None
    return jobs_page([shown.listed_job(job) for job in found.rows], found.next, total)


@routes.get("/jobs/<job_id>")
@operation("jobs", {200: Answer(answers.Job)}, query=Wait, errors=(404,))
def show(parameters: Wait, job_id: str) -> Response:
    """Show a job: how far it is, and its result once it has ended.

    With `wait` the answer is held until the job has ended, at most so many seconds.
    """
    return job_answer(waited(job_id, parameters.wait))


@routes.get("/jobs/<job_id>/items")
@operation("jobs", {200: Answer(answers.Items)}, query=ItemsPage, errors=(404,))
def items(page: ItemsPage, job_id: str) -> Response:
    """List how each image of a job ended, and why one failed."""
    jobs = services().jobs
    job = jobs.get(job_id)
    if not ends_by_items(job):
        return respond(answers.Items(items=[], total=0))
    found = jobs.items(job_id, offset=page.offset, limit=page.limit)
    rows = [shown.item(item, job) for item in found]
    return respond(answers.Items(items=rows, total=job.total))


@routes.delete("/jobs/<job_id>")
@operation("jobs", {200: Answer(answers.Job)}, errors=(404,))
def cancel(job_id: str) -> Response:
    """Cancel a job. Images that it has indexed stay indexed, those that it has deleted are gone.

    What was stored to be indexed, and never was, is removed. A key that may `read` cancels searches
    alone.
    """
    if services().jobs.get(job_id).kind not in OF_READERS:
        access.check_scope(Scope.WRITE)
    job = services().jobs.cancel(job_id)
    if job.kind is Kind.INDEX and job.status is Status.CANCELLED:
        services().queue.submit(SWEEP_TASK, STORE, {"job_id": job_id})
    return job_answer(job)
