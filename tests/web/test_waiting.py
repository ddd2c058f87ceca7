"""Answers that are held back hold threads: only so many may."""

from __future__ import annotations

import threading
import time

from flask import Flask
from flask.testing import FlaskClient

from common.jobs import Item, Job, Kind
from common.services import Services
from web import waiting


def test_beyond_the_places_a_job_is_answered_as_it_stands(
    app: Flask, client: FlaskClient, services: Services
) -> None:
    waiting.install(app, places=2)
    services.jobs.create("job", Kind.SEARCH, [Item(0, "query")], {})
    inside, leave = threading.Semaphore(0), threading.Event()
    wait = services.jobs.wait

    def waits(job_id: str, timeout_s: float) -> Job:
        inside.release()
        leave.wait(10)
        return wait(job_id, 0)

    services.jobs.wait = waits  # type: ignore[method-assign]
    poll = "/api/v1/jobs/job?wait=30"
    waiters = [threading.Thread(target=app.test_client().get, args=(poll,)) for _ in range(2)]
    for waiter in waiters:
        waiter.start()
    for _ in waiters:
        assert inside.acquire(timeout=10)
    began = time.monotonic()
    answer = client.get(poll)
    assert time.monotonic() - began < 5, "it has not waited for a place"
    assert (answer.status_code, answer.json["status"]) == (200, "queued")
    assert answer.headers["Retry-After"] == "1"
    leave.set()
    for waiter in waiters:
        waiter.join(10)
