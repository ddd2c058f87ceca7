"""Deleting an image: forgotten at once, its points and files removed by whoever owns them."""

from __future__ import annotations

from common.catalogue import ImageRecord
from common.errors import NeedleError
from common.ids import new_job_id
from common.jobs import Item, Job, Kind
from common.queue import DELETE_TASK, STORE
from common.services import Services


def remove(services: Services, record: ImageRecord, *, wait_s: float) -> Job:
    """Forget the image, enqueue the removal of the rest and wait for it up to `wait_s` seconds.

    From here on no search returns it, and an index task that is busy with it drops it.
    """
    job_id = new_job_id()
    item = Item(0, record.filename, record.image_id)
    services.jobs.create(job_id, Kind.DELETE, [item], {"collection": record.collection})
    payload = {"job_id": job_id, "collection": record.collection, "image_id": record.image_id}
    try:
        services.catalogue.remove(record.collection, record.image_id)
        services.queue.submit(DELETE_TASK, STORE, payload)
    except NeedleError:
        services.jobs.discard(job_id)
        raise
    return services.jobs.wait(job_id, wait_s)
