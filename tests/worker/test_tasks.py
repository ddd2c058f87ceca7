"""The tasks around the pipelines: what is away sends a task back, and nothing keeps it from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from celery.exceptions import Reject

from common.errors import BrokerUnavailable, StoreUnavailable, Transient
from common.queue import INDEX_TASK
from common.redis import connect
from tests.worker.conftest import World, noise, png
from worker import attempts, tasks
from worker.attempts import Attempts
from worker.indexing.batch import Batch


class Away:
    """A committer that meets an error which passes."""

    def __init__(self, error: Transient) -> None:
        self._error = error

    def commit(self, batch: Batch) -> None:
        """Raise it."""
        raise self._error


@pytest.mark.parametrize("error", [StoreUnavailable("away"), BrokerUnavailable("away")])
@pytest.mark.parametrize("counter_answers", [True, False])
def test_an_error_that_passes_puts_the_task_back(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Transient, counter_answers: bool
) -> None:
    monkeypatch.setattr(attempts, "PAUSE_S", 0.0)
    base = world.base
    if not counter_answers:

        class Gone(Attempts):
            def forget(self, task_key: str) -> None:
                """Find Redis away."""
                raise BrokerUnavailable("away")

        base = replace(base, attempts=Gone(connect(base.settings.redis_url), ttl_s=60))
    pipeline = world.committing_with(Away(error)).indexing
    tasks.register_index(base.celery, base, lambda: pipeline)
    world.post(png(noise(1)))
    with pytest.raises(Reject) as caught:
        base.celery.tasks[INDEX_TASK].run(job_id="job", first=0, last=0)
    assert caught.value.requeue
    assert world.statuses() == ["queued"]
