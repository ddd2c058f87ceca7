"""Indexing a whole collection again, also by another encoder than the one that it is bound to."""

from __future__ import annotations

import logging

from common.contract import orders
from common.contract.orders import IndexOrder
from common.errors import ModelUnavailable
from common.jobs import ItemStatus
from common.queue import INDEX, INDEX_TASK
from worker.context import Base
from worker.indexing.committing import Writer
from worker.upkeep.inspecting import MANY, batched

log = logging.getLogger(__name__)


def reindex(base: Base, writer: Writer, job_id: str) -> None:
    """Prepare a collection for an index job that has all its images, and enqueue the job's tasks.

    Where the encoder in use is another, the old embeddings are dropped: a search cannot compare
    them with its query. Each step may run twice. Raises transient errors.
    """
    if not base.jobs.start(job_id):
        return
    job = base.jobs.get(job_id)
    name = orders.of(job, IndexOrder).collection
    _rebind(base, writer, name)
    for some in batched(range(job.total), MANY):
        left = [i for i in base.jobs.pick(job_id, some) if i.status is ItemStatus.QUEUED]
        base.catalogue.doubt(name, [item.image_id for item in left if item.image_id])
    chunk = base.settings.chunk_size
    for first in range(0, job.total, chunk):
        last = min(first + chunk, job.total) - 1
        payload = {"job_id": job_id, "first": first, "last": last}
        base.queue.submit(INDEX_TASK, INDEX, payload)


def _rebind(base: Base, writer: Writer, name: str) -> None:
    models, bound = base.beacons.models(), base.catalogue.collection(name)
    if models is None:
        raise ModelUnavailable("No worker has said yet which encoder is in use.")
    if bound is None or bound.encoder == models["encoder"]:
        return
    log.info("%s: from the encoder %s to %s", name, bound.encoder, models["encoder"])
    writer.store.delete_collection(name)
    base.catalogue.rebind(name, encoder=models["encoder"], dim=models["dim"])
    writer.store.delete_collection(name)  # what a task of the old encoder wrote in between
