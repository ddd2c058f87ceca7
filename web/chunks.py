"""The chunks that a job of many items is worked off in: a task each."""

from __future__ import annotations

import math

from common.beginnings import GoesOn
from common.services import Services


def check_room(services: Services, queue: str, count: int) -> None:
    """Raise Overloaded where the queue has no room for the chunks of so many items."""
    services.queue.check_room(queue, math.ceil(count / services.settings.chunk_size))


def submit(
    services: Services, task: str, queue: str, job_id: str, count: int, goes_on: GoesOn
) -> None:
    """Hand the chunks of a job of so many items to the queue. Raises BrokerUnavailable."""
    chunk = services.settings.chunk_size
    for first in range(0, count, chunk):
        goes_on()
        last = min(first + chunk, count) - 1
        services.queue.submit(task, queue, {"job_id": job_id, "first": first, "last": last})
