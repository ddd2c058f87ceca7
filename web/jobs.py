"""Jobs: poll, wait, page through the items, cancel."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from common.jobs import Job, Kind
from web.links import job_url, with_links
from web.schemas import ItemsPage, Wait
from web.services import services

POLL_AFTER_S = 1
routes = Blueprint("jobs", __name__)


def job_answer(job: Job, *, created: bool = False) -> Response:
    """Return a job as an answer; a `created` one that has not ended is a 202 with where to poll."""
    body: dict[str, Any] = job.as_dict()
    if job.kind is Kind.SEARCH and job.result is not None:
        body["result"] = with_links(job.result, job.details["collection"])
    response = jsonify(body)
    if not job.status.final:
        response.headers["Retry-After"] = str(POLL_AFTER_S)
    if created:
        response.headers["Location"] = job_url(job.job_id)
        response.status_code = 200 if job.status.final else 202
    return response


@routes.get("/jobs/<job_id>")
def show(job_id: str) -> Response:
    """Return a job's state; with `wait`, once it has ended or the seconds are over."""
    query = Wait.model_validate(request.args.to_dict())
    return job_answer(services().jobs.wait(job_id, query.wait))


@routes.get("/jobs/<job_id>/items")
def items(job_id: str) -> Response:
    """Return a page of the outcomes of a job's items."""
    page = ItemsPage.model_validate(request.args.to_dict())
    jobs = services().jobs
    job = jobs.get(job_id)
    found = jobs.items(job_id, offset=page.offset, limit=page.limit)
    total = job.total if job.kind is Kind.INDEX else 0
    return jsonify(items=[item.under(job.status).as_dict() for item in found], total=total)


@routes.delete("/jobs/<job_id>")
def cancel(job_id: str) -> Response:
    """End a job; photos that it has indexed stay."""
    return job_answer(services().jobs.cancel(job_id))
