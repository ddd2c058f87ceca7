"""A job as lists show it, and as a webhook is told of it."""

from __future__ import annotations

from typing import Any

from common import jobs
from common.contract import answers, orders


def listed_job(job: jobs.Job) -> answers.ListedJob:
    """Return a job as a list shows it."""
    webhook = job.webhook
    return answers.ListedJob(
        job_id=job.job_id,
        kind=job.kind,
        status=job.status,
        collection=orders.collection_of(job),
        progress=_progress(job),
        error=problem(job.error),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        webhook=None
        if webhook is None
        else answers.Webhook(
            delivered=webhook.delivered, attempts=webhook.attempts, last_error=webhook.last_error
        ),
    )


def problem(error: Any) -> answers.Problem | None:
    """Return an error as answers say it."""
    return None if error is None else answers.Problem.model_validate(error)


def _progress(job: jobs.Job) -> answers.Progress:
    rate, eta = job.rate_per_s(), job.eta_s()
    return answers.Progress(
        total=job.total,
        done=job.done,
        failed=job.failed,
        rate_per_s=None if rate is None else round(rate, 3),
        eta_s=None if eta is None else round(eta, 1),
    )
