"""Answers that are held back until a job has ended: only so many at once.

Each holds a thread of the server. Where all places are taken, the job is answered as it stands,
with when to ask again; health and short requests always find a thread.
"""

from __future__ import annotations

import threading

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
    places: threading.BoundedSemaphore = current_app.extensions[_KEY]
    if job.status.final or timeout_s <= 0 or not places.acquire(blocking=False):
        return job
    try:
        return services().jobs.wait(job_id, timeout_s)
    finally:
        places.release()
