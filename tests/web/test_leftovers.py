"""What a request or a job stored and nobody will index is taken back, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.errors import BrokerUnavailable
from common.services import Services
from common.settings import Settings
from tests.web.conftest import files, plain
from tests.web.test_post_images import Tasks, items_of, stored
from worker.removal import sweep

URL = "/api/v1/images"


def post(client: FlaskClient, *colours: int) -> dict[str, Any]:
    job: dict[str, Any] = client.post(URL, data=files(*map(plain, colours))).json
    return job


def test_a_cancelled_jobs_images_are_removed(
    client: FlaskClient, services: Services, tasks: Tasks, settings: Settings
) -> None:
    job = post(client, 1, 2)
    client.delete(f"/api/v1/jobs/{job['job_id']}")
    (task,) = tasks("store")
    sweep(services, **task)
    assert list(services.catalogue.every("default")) == []
    assert stored(settings.data_dir / "images") == []


def test_what_another_job_wants_stays(
    client: FlaskClient, services: Services, settings: Settings
) -> None:
    first, second = post(client, 1, 2), post(client, 2, 3)
    wanted = {item["image_id"] for item in items_of(client, second)}
    client.delete(f"/api/v1/jobs/{first['job_id']}")
    for _ in range(2):
        sweep(services, first["job_id"])
    assert {r.image_id for r in services.catalogue.every("default")} == wanted
    assert len(stored(settings.data_dir / "images")) == 2


def test_what_is_indexed_stays(client: FlaskClient, services: Services, settings: Settings) -> None:
    job = post(client, 1)
    (record,) = services.catalogue.every("default")
    services.catalogue.mark_indexed("default", [record.indexed(regions=1, at=1.0, recipe="r")])
    again = post(client, 1)
    for each in (job, again):
        client.delete(f"/api/v1/jobs/{each['job_id']}")
        sweep(services, each["job_id"])
    assert services.catalogue.count("default") == 1
    assert len(stored(settings.data_dir / "images")) == 1


def test_a_request_that_fails_takes_nothing_from_one_that_came_meanwhile(
    client: FlaskClient,
    services: Services,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submit = services.queue.submit
    accepted: list[dict[str, Any]] = []

    def away(*args: Any) -> None:
        monkeypatch.setattr(services.queue, "submit", submit)
        accepted.append(post(client, 1, 2))
        raise BrokerUnavailable("away")

    monkeypatch.setattr(services.queue, "submit", away)
    assert client.post(URL, data=files(plain(1), plain(9))).status_code == 503
    kept = {item["image_id"] for item in items_of(client, accepted[0])}
    assert {r.image_id for r in services.catalogue.every("default")} == kept
    assert len(stored(Path(settings.data_dir, "images"))) == 2
