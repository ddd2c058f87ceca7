"""`POST /jobs/{id}/continue`: a search whose time was up goes on, as a job that takes its time."""

from __future__ import annotations

from flask import Blueprint, Response

from common.contract import orders
from common.contract.answers.searches import Findings
from common.contract.orders import SearchOrder
from common.errors import NothingToContinue
from common.images import query_key
from common.jobs import Job, Kind, Status
from common.services import Services
from web import idempotency
from web.jobs import POSTED, job_answer
from web.operation import operation
from web.search import Kept, check_load, enqueue
from web.services import services

routes = Blueprint("continuing", __name__)


@routes.post("/jobs/<job_id>/continue")
@operation("search", POSTED, errors=(404, 409, 429, 507), headers=(idempotency.HEADER,))
def post(job_id: str) -> Response:
    """Continue a search that ran out of time (`verification.complete` of its result is false).

    It asks the same once more, as a new job that takes the time that it needs; poll that one.
    """

    def make(new_id: str) -> None:
        job = services().jobs.get(job_id)
        order = _order(job)
        enqueue(services(), order, _files(services(), job_id, order), new_id)

    if not idempotency.given():
        check_load(services())
    made = idempotency.once(services(), make)
    return job_answer(services().jobs.get(made), created=True)


def _order(job: Job) -> SearchOrder:
    """Return what goes on with a search. Raises NothingToContinue."""
    if job.kind is not Kind.SEARCH:
        raise NothingToContinue("Only a search can go on.")
    if job.status is not Status.SUCCEEDED:
        raise NothingToContinue(f"The search is {job.status}: only one with a result can go on.")
    if Findings.model_validate(job.result).verification.complete:
        raise NothingToContinue("The search had time for all that it looked at.")
    return orders.of(job, SearchOrder).model_copy(update={"patient": True})


def _files(services: Services, job_id: str, order: SearchOrder) -> Kept:
    """Return the files that came with a search. Raises NotFound, StoreUnavailable."""
    files = [query_key(job_id, number) for number in range(order.files)]
    negatives = [query_key(job_id, number, negative=True) for number in range(order.negative_files)]
    return [services.images.open(key) for key in files], list(map(services.images.open, negatives))
