"""The chunks that a job of many items is worked off in: a task each."""

from __future__ import annotations

import math

from common.beginnings import GoesOn
from common.services import Services


def check_room(services: Services, queue: str, count: int, *, least: int = 1) -> None:
    """Raise Overloaded where the queue has no room for the chunks of so many items."""
    services.queue.check_room(queue, math.ceil(count / _size(services, count, least)))


def submit(
    services: Services,
    task: str,
    queue: str,
    job_id: str,
    count: int,
    goes_on: GoesOn,
    *,
    least: int = 1,
) -> None:
    """Hand the chunks of a job of so many items to the queue. Raises BrokerUnavailable.

    There are `least` at least, where there are as many items.
    """
    size = _size(services, count, least)
    for first in range(0, count, size):
        goes_on()
        last = min(first + size, count) - 1
        services.queue.submit(task, queue, {"job_id": job_id, "first": first, "last": last})


def _size(services: Services, count: int, least: int) -> int:
    return max(1, min(services.settings.chunk_size, count // least))
