"""Jobs that look after what is kept. Whoever owns the vectors does them, one at a time."""

from __future__ import annotations

import re

from common.contract.fields import COLLECTION_PATTERN
from common.contract.orders import BackupOrder, VerifyOrder
from common.contract.requests import VerifyFields
from common.errors import NeedleError, NotFound
from common.ids import new_job_id
from common.images import collection_folder
from common.jobs import Item, Kind
from common.queue import BACKUP_TASK, UPKEEP, VERIFY_TASK
from common.services import Services


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


def _begin(services: Services, kind: Kind, name: str, details: dict[str, object], task: str) -> str:
    services.queue.check_room(UPKEEP, 1)
    job_id = new_job_id()
    services.jobs.create(job_id, kind, [Item(0, name)], details)
    try:
        services.queue.submit(task, UPKEEP, {"job_id": job_id})
    except NeedleError:
        services.jobs.discard(job_id)
        raise
    return job_id
