"""The state of queues, jobs and workers, asked when Prometheus asks."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from common.catalogue import ImageRecord, IndexState
from common.jobs import Item, Kind
from common.metrics.service import ServiceState
from common.queue import INDEX, INDEX_TASK, QUEUED_AT
from common.redis import Client
from common.services import Services
from common.settings import Settings
from tests.unit.metrics.helpers import samples, value


@pytest.fixture
def services(redis: Client, redis_url: str, tmp_path: Path) -> Services:
    return Services.build(Settings(redis_url=redis_url, data_dir=tmp_path))


def test_depth_and_age_of_the_queues(services: Services, redis: Client) -> None:
    services.queue.submit(INDEX_TASK, INDEX, {"job_id": "a", "first": 0, "last": 0})
    first = json.loads(redis.lindex(INDEX, -1))
    first["headers"][QUEUED_AT] -= 100  # it has waited a while
    redis.lset(INDEX, -1, json.dumps(first))
    services.queue.submit(INDEX_TASK, INDEX, {"job_id": "a", "first": 1, "last": 1})
    text = ServiceState(services).text()
    assert value(text, "needle_queue_tasks", queue="index") == 2
    assert 100 <= value(text, "needle_queue_oldest_task_age_seconds", queue="index") < 110
    assert value(text, "needle_queue_oldest_task_age_seconds", queue="search") == 0
    assert value(text, "needle_redis_up") == 1


def test_a_task_of_an_older_version_says_no_age(services: Services, redis: Client) -> None:
    redis.lpush(INDEX, json.dumps({"headers": {}}))
    found = samples(ServiceState(services).text())
    queues = {dict(labels)["queue"] for labels in found["needle_queue_oldest_task_age_seconds"]}
    assert queues == {"search", "store", "fetch", "upkeep", "searches"}
    assert found["needle_queue_tasks"][(("queue", "index"),)] == 1


def test_open_jobs_images_and_workers(services: Services, redis: Client) -> None:
    for name in ("a", "b"):
        services.jobs.create(name, Kind.SEARCH, [Item(0, "q")], {})
    services.jobs.fail("b", "internal", "No.")
    record = ImageRecord("i", "shop", "a.jpg", "image/jpeg", 4, 3, 9)
    services.catalogue.bind("shop", encoder="e", dim=4)
    services.catalogue.add([record])
    services.catalogue.mark_indexed("shop", [record.indexed(regions=1, at=1.0, recipe="r")])
    services.catalogue.tell_index("shop", IndexState(1, False, True))
    key = "needle:worker:index:host:1"
    redis.set(key, json.dumps({"role": "index", "models": {"encoder": "e", "name": "mini"}}))
    redis.zadd("needle:beacons", {key: time.time() - 5, "needle:worker:search:h:2": 1.0})
    text = ServiceState(services).text()
    assert value(text, "needle_jobs_open") == 1
    assert value(text, "needle_bulk_mode_collections") == 1
    assert value(text, "needle_images") == value(text, "needle_collections") == 1
    assert value(text, "needle_workers", role="index") == 1
    assert value(text, "needle_workers", role="search") == 0
    assert 5 <= value(text, "needle_worker_beacon_age_seconds", role="index") < 15
    (labels,) = samples(text)["needle_models_info"]
    assert dict(labels)["encoder"] == "e" and dict(labels)["role"] == "index"


def test_without_redis_it_says_so_at_once_and_shows_the_rest(tmp_path: Path) -> None:
    away = Settings(redis_url="redis://127.0.0.1:1/0", data_dir=tmp_path)
    text = ServiceState(Services.build(away)).text()
    assert value(text, "needle_redis_up") == 0
    assert value(text, "needle_disk_free_bytes") > 0
    assert "needle_queue_tasks" not in samples(text)


def test_scrapes_that_come_together_ask_once(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = ServiceState(services)
    first = state.text()
    monkeypatch.setattr(services.beacons, "live", lambda: pytest.fail("asked again"))
    assert state.text() == first
