"""The Celery tasks of the queue `upkeep`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from celery import Celery

from common.contract import orders
from common.contract.orders import VerifyOrder
from common.errors import Transient
from common.log import log_context
from common.queue import BACKUP_TASK, REINDEX_TASK, VERIFY_TASK
from worker.attempts import back_to_the_queue, failing_its_job
from worker.context import Base
from worker.indexing.committing import Writer
from worker.upkeep.backing_up import Backup
from worker.upkeep.reindexing import reindex
from worker.upkeep.verifying import Ended, Verifier

_BACKUPS = ":backups"
"""The name of their lock, which no collection has."""

log = logging.getLogger(__name__)


def register_upkeep(app: Celery, base: Base, writer: Callable[[], Writer]) -> None:
    """Register the tasks of whoever owns the vector store that look after what is kept."""

    @app.task(name=VERIFY_TASK, shared=False)  # type: ignore[untyped-decorator]
    def verify(job_id: str) -> None:
        with (
            log_context(job_id=job_id),
            back_to_the_queue(Transient),
            failing_its_job(base.jobs, job_id, "Verifying failed."),
        ):
            run_verify(base, writer(), job_id)

    @app.task(name=BACKUP_TASK, shared=False)  # type: ignore[untyped-decorator]
    def backup(job_id: str) -> None:
        with (
            log_context(job_id=job_id),
            back_to_the_queue(Transient),
            failing_its_job(base.jobs, job_id, "Making the backup failed."),
        ):
            run_backup(base, writer(), job_id)

    @app.task(name=REINDEX_TASK, shared=False)  # type: ignore[untyped-decorator]
    def reindex_collection(job_id: str) -> None:
        with (
            log_context(job_id=job_id),
            back_to_the_queue(Transient),
            failing_its_job(base.jobs, job_id, "Indexing the collection again failed."),
        ):
            reindex(base, writer(), job_id)


def run_verify(base: Base, writer: Writer, job_id: str) -> None:
    """Verify a job's collection. Raises transient errors."""
    started = time.monotonic()
    if not base.jobs.start(job_id):
        return
    try:
        order = orders.of(base.jobs.get(job_id), VerifyOrder)
        report = Verifier.of(base, writer).verify(job_id, order)
    except Ended:
        log.info("the job was cancelled")
        return
    base.jobs.succeed(job_id, report.model_dump(mode="json"))
    log.info(
        "%d images, %d damaged, %d in no list: verified in %.1f s",
        report.images, report.damaged, report.orphaned, time.monotonic() - started,
    )  # fmt: skip


def run_backup(base: Base, writer: Writer, job_id: str) -> None:
    """Make a job's backup. Raises transient errors, and BackupFailed."""
    # Each takes the place of the one before: two workers must not be at it at once.
    with base.images.changing_all(_BACKUPS):
        if not base.jobs.start(job_id):
            return
        made = Backup(base, writer, job_id).make()
        base.jobs.succeed(job_id, made.model_dump(mode="json"))
