"""Deleting a collection: its images one by one, as they are deleted alone, then what held them.

The job's items say what is left: one for each image, and a last one for the collection itself. An
item ends when all of its image is gone, so that a task that runs again goes on where it stopped.
"""

from __future__ import annotations

import logging

from common.contract import orders
from common.contract.orders import IndexOrder
from common.errors import Transient
from common.jobs import Item, ItemStatus
from common.leftovers import take_back
from common.services import Services
from worker.attempts import failure
from worker.indexing.committing import Writer

log = logging.getLogger(__name__)

ITEMS_PER_TASK = 100


def delete_some(writer: Writer, job_id: str, collection: str, first: int) -> int | None:
    """Delete the images of some items, from the `first` on; return where to go on, None at the end.

    A job that was cancelled ends here: what is left of the collection stays. Raises transient
    errors only.
    """
    if not writer.jobs.start(job_id):
        _let_go(writer, job_id, collection)
        return None
    last = min(first + ITEMS_PER_TASK, writer.jobs.get(job_id).total) - 1
    for item in writer.jobs.pick(job_id, range(first, last + 1)):
        if item.status is ItemStatus.QUEUED:
            writer.jobs.finish_items(job_id, [_delete(writer, collection, item)])
    if writer.jobs.get(job_id).status.final:
        _let_go(writer, job_id, collection)
        return None
    return last + 1


def _delete(writer: Writer, collection: str, item: Item) -> Item:
    """Return how the item has ended."""
    try:
        if item.image_id is None:
            # What a job that has been cancelled since may have left is in it as well.
            writer.discard_collection(collection)
        else:
            _delete_image(writer, collection, item.image_id)
    except Transient:
        raise
    except Exception as exc:
        log.exception("item %d was not deleted", item.index)
        return item.failed(failure(exc, "Deleting it failed."))
    return item.ended(ItemStatus.DELETED, item.image_id)


def _delete_image(writer: Writer, collection: str, image_id: str) -> None:
    writer.catalogue.remove(collection, image_id)
    writer.discard(collection, image_id)


def _let_go(writer: Writer, job_id: str, collection: str) -> None:
    """Let the collection take images again, unless another job deletes it by now."""
    if writer.catalogue.deleting(collection) == job_id:
        writer.catalogue.stop_deleting(collection)


def sweep(base: Services, job_id: str) -> None:
    """Remove what a cancelled job's images left, those that were never indexed.

    Raises transient errors.
    """
    job = base.jobs.get(job_id)
    collection = orders.of(job, IndexOrder).collection
    for first in range(0, job.total, ITEMS_PER_TASK):
        items = base.jobs.items(job_id, offset=first, limit=ITEMS_PER_TASK)
        left = [i.image_id for i in items if i.status is ItemStatus.QUEUED and i.image_id]
        take_back(base.images, base.catalogue, collection, left, job_id)
