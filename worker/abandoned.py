"""What requests left that never came to their end: the web server was killed in the middle.

No answer was given, so nobody waits: the job goes, with the files that were stored for it, and an
image or a collection that was forgotten is removed to the end. Each step may run twice.
"""

from __future__ import annotations

import logging
import threading
import time

from common.beginnings import Beginning
from common.contract import orders
from common.contract.orders import DeleteOrder
from common.errors import NeedleError, NotFound
from common.images import query_folder
from common.jobs import Job, Kind
from common.leftovers import take_back
from common.queue import DELETE_COLLECTION_TASK, DELETE_TASK, STORE
from worker.context import Base
from worker.lost import Lost

log = logging.getLogger(__name__)

LOOK_EVERY_S = 20.0


def look_after(base: Base) -> None:
    """Look for them, and for lost tasks, every now and then, in a thread of its own."""
    threading.Thread(target=_run, args=(base,), name="abandoned", daemon=True).start()


def tidy_up(base: Base) -> int:
    """Take back what abandoned requests left; return how many there were.

    Raises transient errors; what was not tidied up by then is the next time.
    """
    found = base.beginnings.left()
    for one in found:
        log.warning("a request that began the job %s never ended; it is taken back", one.job_id)
        _tidy_up(base, one)
        base.beginnings.settle(one)
    return len(found)


def _run(base: Base) -> None:
    pause, lost = threading.Event(), Lost(base)
    while not pause.wait(LOOK_EVERY_S):
        try:
            tidy_up(base)
            lost.look(time.monotonic())
        except NeedleError as error:
            log.warning("abandoned requests and lost tasks are not looked for: %s", error.message)
        except Exception:
            log.exception("looking for abandoned requests and lost tasks failed")


def _tidy_up(base: Base, one: Beginning) -> None:
    try:
        job = base.jobs.get(one.job_id)
    except NotFound:
        _without_a_job(base, one)
        return
    if job.kind is Kind.DELETE and _goes_on(base, job, one.collection):
        return
    if not job.status.final:
        base.jobs.discard(one.job_id)
    _without_a_job(base, one)


def _without_a_job(base: Base, one: Beginning) -> None:
    """Remove what was stored before the job was recorded."""
    claimed = base.catalogue.claimed(one.collection, one.job_id)
    take_back(base.images, base.catalogue, one.collection, claimed, one.job_id)
    if base.catalogue.deleting(one.collection) == one.job_id:
        base.catalogue.stop_deleting(one.collection)
    try:
        base.jobs.get(one.job_id)  # a search that has ended shows its query
    except NotFound:
        base.images.delete_folder(query_folder(one.job_id))


def _goes_on(base: Base, job: Job, collection: str) -> bool:
    """Hand a deletion to the workers once more, if it has come so far that it must be done."""
    if orders.of(job, DeleteOrder).whole:
        payload = {"job_id": job.job_id, "collection": collection}
        base.queue.submit(DELETE_COLLECTION_TASK, STORE, payload)
        return True
    (item,) = base.jobs.items(job.job_id, offset=0, limit=1)
    image_id = str(item.image_id)
    if base.catalogue.find(collection, [image_id]):
        return False
    payload = {"job_id": job.job_id, "collection": collection, "image_id": image_id}
    base.queue.submit(DELETE_TASK, STORE, payload)
    return True
