"""Jobs that look after what is kept: recorded, and left to whoever owns the vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.catalogue import ImageRecord
from common.contract.answers import Verified
from common.jobs import Status
from common.keys import Keys, Scope
from common.redis import Client
from common.services import Services
from common.settings import Settings
from tests.web.conftest import light

Tasks = Callable[[str], list[dict[str, Any]]]
URL = "/api/v1/collections"


def test_verifying_is_a_job_of_whoever_owns_the_vectors(
    client: FlaskClient, services: Services, tasks: Tasks
) -> None:
    services.catalogue.bind("c", encoder="e", dim=4)
    answer = client.post(f"{URL}/c/verify", json={"repair": True})
    job = answer.json
    assert (answer.status_code, job["kind"], job["status"]) == (202, "verify", "queued")
    assert tasks("upkeep") == [{"job_id": job["job_id"]}]
    assert services.jobs.get(job["job_id"]).details["repair"] is True
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['job_id']}"

    assert services.jobs.start(job["job_id"])
    assert services.jobs.measure(job["job_id"], done=3, total=9)
    progress = client.get(f"/api/v1/jobs/{job['job_id']}").json["progress"]
    assert (progress["done"], progress["total"]) == (3, 9)
    report = Verified(
        collection="c", images=1, whole=0, waiting=0, damaged=1, missing={"points": 1}, orphaned=0,
        stray_points=0, damaged_images=[], orphaned_images=[], beyond_repair=[], removed=0,
        repair_job=None, note=None,
    )  # fmt: skip
    services.jobs.succeed(job["job_id"], report.model_dump(mode="json"))
    assert not services.jobs.measure(job["job_id"], done=3, total=9)
    ended = client.get(f"/api/v1/jobs/{job['job_id']}").json
    assert (ended["status"], ended["progress"]["done"]) == (Status.SUCCEEDED, 9)
    assert ended["result"]["missing"] == {"points": 1}
    listed = client.get("/api/v1/jobs?kind=verify").json["jobs"]
    assert [one["job_id"] for one in listed] == [job["job_id"]]
    assert client.get(f"/api/v1/jobs/{job['job_id']}/items").json["items"] == []


@pytest.mark.parametrize("name", ["nothing", "..", "%2e%2e", "C", "c%00"])
def test_a_collection_that_is_none_is_a_404(
    client: FlaskClient, indexed: ImageRecord, tasks: Tasks, name: str
) -> None:
    assert client.post(f"{URL}/{name}/verify", json={}).status_code == 404
    assert tasks("upkeep") == []


def test_a_collection_that_the_list_has_lost_can_be_verified(
    client: FlaskClient, services: Services, indexed: ImageRecord
) -> None:
    services.catalogue.forget_collection("default")
    assert client.post(f"{URL}/default/verify", json={}).status_code == 202


@pytest.mark.parametrize("body", [{"repair": 1}, {"repairs": True}, []])
def test_a_bad_body_is_refused(client: FlaskClient, indexed: ImageRecord, body: Any) -> None:
    assert client.post(f"{URL}/default/verify", json=body).status_code == 400


def test_only_an_admin_may(client: FlaskClient, settings: Settings, indexed: ImageRecord) -> None:
    for scope, status in ((Scope.WRITE, 403), (Scope.ADMIN, 202)):
        _, text = Keys(settings.data_dir).make(scope.value, scope)
        answer = client.post(
            f"{URL}/default/verify", json={}, headers={"Authorization": f"Bearer {text}"}
        )
        assert answer.status_code == status


def test_reindexing_is_an_index_job_of_every_indexed_image(
    client: FlaskClient, services: Services, redis: Client, indexed: ImageRecord, tasks: Tasks
) -> None:
    assert client.post(f"{URL}/default/reindex", json={}).status_code == 404  # bound to nothing
    services.catalogue.bind("default", encoder="e", dim=4)
    assert client.post(f"{URL}/default/reindex", json={}).status_code == 503  # by which encoder?
    light(redis, "index", {"encoder": "another", "dim": 8})
    waiting = ImageRecord("image-2", "default", "b.jpg", "image/jpeg", 60, 40, 9)
    services.catalogue.add([waiting])
    answer = client.post(f"{URL}/default/reindex", json={"profile": "fast"})
    job = answer.json
    assert (answer.status_code, job["kind"], job["progress"]["total"]) == (202, "index", 1)
    assert tasks("upkeep") == [{"job_id": job["job_id"]}] and tasks("index") == []
    assert services.jobs.get(job["job_id"]).details["profile"] == "fast"
    items = client.get(f"/api/v1/jobs/{job['job_id']}/items").json["items"]
    assert [item["image_id"] for item in items] == ["image-1"]

    client.delete(f"/api/v1/jobs/{job['job_id']}")
    assert client.get("/api/v1/images/image-1").status_code == 200  # cancelled, it stays
    client.delete(f"{URL}/default")
    answer = client.post(f"{URL}/default/reindex", json={})
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "being_deleted")


@pytest.mark.parametrize("body", [{"profile": "best"}, {"collection": "c"}, {"metadata": {}}])
def test_reindexing_takes_only_how_regions_are_made(
    client: FlaskClient, indexed: ImageRecord, body: Any
) -> None:
    assert client.post(f"{URL}/default/reindex", json=body).status_code == 400
