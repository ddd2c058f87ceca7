"""Deleting: forgotten at once, points and files removed by whoever owns them, as a job."""

from __future__ import annotations

from common.catalogue import ImageRecord
from common.contract.orders import DeleteOrder
from common.errors import NotFound
from common.ids import new_job_id
from common.jobs import Item, Kind
from common.queue import DELETE_COLLECTION_TASK, DELETE_TASK, STORE
from common.services import Services
from web import webhooks


def remove(services: Services, record: ImageRecord) -> str:
    """Forget the image and enqueue the removal of the rest; return the job's id.

    From here on no search returns it, and an index task that is busy with it drops it.
    """
    webhook = webhooks.asked(services)
    job_id = new_job_id()
    item = Item(0, record.filename, record.image_id)
    order = DeleteOrder(collection=record.collection)
    payload = {"job_id": job_id, "collection": record.collection, "image_id": record.image_id}
    with services.beginnings.of(job_id, record.collection):
        services.jobs.create(job_id, Kind.DELETE, [item], order.details(), webhook)
        services.catalogue.remove(record.collection, record.image_id)
        # From here on it has to go on, and does where Redis goes away: see `worker/abandoned.py`.
        services.queue.submit(DELETE_TASK, STORE, payload)
    return job_id


def remove_collection(services: Services, name: str) -> str:
    """Enqueue the removal of a collection with all its images and return the job's id.

    The collection is marked first, and the mark names the job: whatever dies from here on, asking
    again goes on with the same job, and its task may run as often as it likes.
    Raises NotFound, Overloaded or BrokerUnavailable.
    """
    if not services.catalogue.holds(name):
        raise NotFound(f"There is no collection '{name}'.")
    services.queue.check_room(STORE, 1)
    webhook = webhooks.asked(services)
    job_id = _claim(services, name)
    with services.beginnings.of(job_id, name):
        _end_indexing(services, name)
        if not _exists(services, job_id):
            _create(services, job_id, name, webhook)
        services.queue.submit(DELETE_COLLECTION_TASK, STORE, {"job_id": job_id, "collection": name})
    return job_id


def _claim(services: Services, name: str) -> str:
    """Return the id of the job that deletes the collection: the one under way, or a new one."""
    job_id = services.catalogue.begin_deleting(name, new_job_id())
    if _exists(services, job_id) and services.jobs.get(job_id).status.final:  # it was cancelled
        services.catalogue.stop_deleting(name)
        job_id = services.catalogue.begin_deleting(name, new_job_id())
    return job_id


def _exists(services: Services, job_id: str) -> bool:
    try:
        services.jobs.get(job_id)
    except NotFound:
        return False
    return True


def _create(services: Services, job_id: str, name: str, webhook: str | None) -> None:
    """Record the job: an item for each image, and a last one for the collection itself."""
    images = [
        Item(n, record.filename, record.image_id)
        for n, record in enumerate(services.catalogue.every(name))
    ]
    items = [*images, Item(len(images), name)]
    order = DeleteOrder(collection=name, whole=True)
    services.jobs.create(job_id, Kind.DELETE, items, order.details(), webhook)


def _end_indexing(services: Services, name: str) -> None:
    """Cancel the jobs that still index into the collection: they would fill it again."""
    for job in services.jobs.list.indexing(name):
        services.jobs.cancel(job.job_id)
