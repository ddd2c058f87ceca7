"""Jobs that look after what is kept. Whoever owns the vectors does them, one at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from common.contract.fields import COLLECTION_PATTERN
from common.contract.orders import BackupOrder, IndexOrder, VerifyOrder
from common.contract.requests import MakingFields, VerifyFields
from common.errors import ModelUnavailable, NeedleError, NotFound
from common.ids import new_job_id
from common.images import collection_folder
from common.jobs import Item, Kind
from common.queue import BACKUP_TASK, REINDEX_TASK, UPKEEP, VERIFY_TASK
from common.services import Services
from web import webhooks
from web.ingest import check_not_deleting


def begin_verifying(services: Services, name: str, fields: VerifyFields) -> str:
    """Enqueue a verify job and return its id. Raises NotFound, Overloaded or BrokerUnavailable.

    A collection that the list has lost may still have files.
    """
    valid = re.fullmatch(COLLECTION_PATTERN, name)  # what is none must not name a folder
    held = valid and (
        services.catalogue.holds(name) or services.images.names(collection_folder(name))
    )
    if not held:
        raise NotFound(f"There is no collection '{name}'.")
    order = VerifyOrder(collection=name, **vars(fields))
    return _begin(services, Kind.VERIFY, name, order.details(), VERIFY_TASK)


def begin_backup(services: Services) -> str:
    """Enqueue a backup job and return its id. Raises Overloaded or BrokerUnavailable."""
    return _begin(services, Kind.BACKUP, "backup", BackupOrder().details(), BACKUP_TASK)


def begin_reindexing(services: Services, name: str, fields: MakingFields) -> str:
    """Enqueue an index job that has every indexed image of a collection, and return its id.

    Raises NotFound, BeingDeleted, ModelUnavailable, Overloaded or BrokerUnavailable.
    """
    if services.catalogue.collection(name) is None:
        raise NotFound(f"There is no collection '{name}'.")
    check_not_deleting(services, name)
    if services.beacons.models() is None:
        raise ModelUnavailable("No worker has said yet which encoder is in use; start one.")
    indexed = [each for each in services.catalogue.every(name) if each.indexed_at is not None]
    if not indexed:
        raise NotFound(f"The collection '{name}' has no images.")
    items = [Item(n, record.filename, record.image_id) for n, record in enumerate(indexed)]
    order = IndexOrder(collection=name, **vars(fields))
    return _enqueue(services, Kind.INDEX, items, order.details(), REINDEX_TASK)


def _begin(services: Services, kind: Kind, name: str, details: dict[str, object], task: str) -> str:
    return _enqueue(services, kind, [Item(0, name)], details, task)


def _enqueue(
    services: Services, kind: Kind, items: Sequence[Item], details: dict[str, object], task: str
) -> str:
    services.queue.check_room(UPKEEP, 1)
    webhook = webhooks.asked(services)
    job_id = new_job_id()
    services.jobs.create(job_id, kind, items, details, webhook)
    try:
        services.queue.submit(task, UPKEEP, {"job_id": job_id})
    except NeedleError:
        services.jobs.discard(job_id)
        raise
    return job_id
