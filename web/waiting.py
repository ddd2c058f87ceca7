"""Answers that are held back until a job has ended: only so many at once.

Each holds a thread of the server. Where all places are taken, the job is answered as it stands,
with when to ask again; health and short requests always find a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app

from common.jobs import Job
from web.services import services

PLACES = 40
_KEY = "needle.waiting"


def install(app: Flask, places: int = PLACES) -> None:
    """Give the application places to wait."""
    app.extensions[_KEY] = threading.BoundedSemaphore(places)


def waited(job_id: str, timeout_s: float) -> Job:
    """Return the job once it has ended, or as it stands after `timeout_s`, or for want of a place.

    Raises NotFound or BrokerUnavailable.
    """
    job = services().jobs.get(job_id)
    if job.status.final or timeout_s <= 0:
        return job
    with place() as may_wait:
        return services().jobs.wait(job_id, timeout_s) if may_wait else job


@contextmanager
def place() -> Iterator[bool]:
    """Take a place to wait until this is left; yield False where there is none."""
    places: threading.BoundedSemaphore = current_app.extensions[_KEY]
    taken = places.acquire(blocking=False)
    try:
        yield taken
    finally:
        if taken:
            places.release()
