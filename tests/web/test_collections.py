"""Collections: made, shown with what they hold, deleted as a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.catalogue import ImageRecord, IndexState
from common.errors import BrokerUnavailable
from common.redis import Client
from common.services import Services
from tests.clocks import kept_in
from tests.web.conftest import files, plain

Tasks = Callable[[str], list[dict[str, Any]]]
URL = "/api/v1/collections"


@pytest.fixture(autouse=True)
def models(redis: Client) -> None:
    """Say which encoder is in use, as a worker does."""
    text = json.dumps({"name": "m", "encoder": "e", "dim": 4, "has_text": False})
    redis.hset("needle:models", "index", text)


def _indexed(services: Services, name: str, collection: str, regions: int) -> None:
    record = ImageRecord(name, collection, f"{name}.jpg", "image/jpeg", 9, 9, 1)
    services.catalogue.add([record])
    done = record.indexed(regions=regions, at=1.0, recipe="r")
    services.catalogue.mark_indexed(collection, [done])


def test_a_collection_is_made_bound_to_the_encoder_in_use(client: FlaskClient) -> None:
    made = client.post(URL, json={"name": "shelves"})
    assert (made.status_code, made.headers["Location"]) == (201, f"{URL}/shelves")
    shown = {
        "name": "shelves", "encoder": "e", "dim": 4, "images": 0, "index": None,
        "regions": 0, "deleting": None
    }  # fmt: skip
    assert made.json == client.get(f"{URL}/shelves").json == shown
    assert client.post(URL, json={"name": "shelves", "encoder": "e"}).status_code == 200
    assert [one["name"] for one in client.get(URL).json["collections"]] == ["shelves"]


def test_what_waits_to_be_indexed_is_shown(client: FlaskClient, services: Services) -> None:
    services.catalogue.bind("c", encoder="e", dim=4)
    services.catalogue.tell_index("c", IndexState(pending=70_000, optimizing=True))
    shown = {"pending": 70_000, "optimizing": True, "deferred": False}
    assert client.get(f"{URL}/c").json["index"] == shown
    assert client.get(URL).json["collections"][0]["index"] == shown
    services.catalogue.forget_collection("c")
    assert services.catalogue.index_state("c") is None


def test_a_collection_of_another_encoder_is_a_409(client: FlaskClient, services: Services) -> None:
    services.catalogue.bind("old", encoder="former", dim=4)
    for body in ({"name": "old"}, {"name": "new", "encoder": "former"}):
        answer = client.post(URL, json=body)
        assert (answer.status_code, answer.json["error"]["code"]) == (409, "encoder_mismatch")
    assert client.get(f"{URL}/new").status_code == 404


def test_without_a_worker_no_collection_is_made(client: FlaskClient, redis: Client) -> None:
    redis.delete("needle:models")
    answer = client.post(URL, json={"name": "a"})
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "model_unavailable")


@pytest.mark.parametrize("body", [{}, {"name": "A"}, {"name": "a", "dim": 3}, {"name": 1}, []])
def test_a_bad_name_or_field_is_refused(client: FlaskClient, body: Any) -> None:
    assert client.post(URL, json=body).status_code == 400


def test_regions_are_counted_also_as_they_come_and_go(
    client: FlaskClient, services: Services
) -> None:
    services.catalogue.bind("c", encoder="e", dim=4)
    _indexed(services, "a", "c", regions=5)

    def count() -> tuple[int, int]:
        shown = client.get(f"{URL}/c").json
        return shown["images"], shown["regions"]

    assert count() == (1, 5)
    _indexed(services, "b", "c", regions=7)
    _indexed(services, "a", "c", regions=6)
    assert count() == (2, 13)
    services.catalogue.remove("c", "a")
    services.catalogue.remove("c", "nothing")
    assert count() == (1, 7)


def test_deleting_is_a_job_with_an_item_for_each_image_and_one_for_the_collection(
    client: FlaskClient, services: Services, tasks: Tasks
) -> None:
    services.catalogue.bind("c", encoder="e", dim=4)
    _indexed(services, "a", "c", regions=5)
    answer = client.delete(f"{URL}/c")
    job = answer.json
    assert (answer.status_code, job["kind"], job["progress"]["total"]) == (202, "delete", 2)
    assert tasks("store") == [{"job_id": job["job_id"], "collection": "c"}]
    items = client.get(f"/api/v1/jobs/{job['job_id']}/items").json
    assert [item["name"] for item in items["items"]] == ["a.jpg", "c"]
    assert client.get(f"{URL}/c").json["deleting"] == job["job_id"]


def test_meanwhile_the_collection_takes_nothing(client: FlaskClient, services: Services) -> None:
    services.catalogue.bind("c", encoder="e", dim=4)
    job_id = client.delete(f"{URL}/c").json["job_id"]
    for answer in (
        client.post("/api/v1/images", data={**files(plain()), "collection": "c"}),
        client.post(URL, json={"name": "c"}),
    ):
        assert (answer.status_code, answer.json["error"]["code"]) == (409, "being_deleted")
        assert answer.json["error"]["job_id"] == job_id
    other = client.post("/api/v1/images", data={**files(plain()), "collection": "d"})
    assert other.status_code == 202


def test_jobs_that_index_into_it_are_cancelled_and_no_others(client: FlaskClient) -> None:
    posted = {
        name: client.post("/api/v1/images", data={**files(plain()), "collection": name}).json
        for name in ("c", "d")
    }
    assert client.delete(f"{URL}/c").status_code == 202
    statuses = {
        name: client.get(f"/api/v1/jobs/{job['job_id']}").json["status"]
        for name, job in posted.items()
    }
    assert statuses == {"c": "cancelled", "d": "queued"}


def test_requested_again_it_is_the_same_job_whatever_died_in_between(
    client: FlaskClient, services: Services, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.catalogue.bind("c", encoder="e", dim=4)

    def away(*_: Any) -> None:
        raise BrokerUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(services.queue, "submit", away)
        assert client.delete(f"{URL}/c").status_code == 503
    first = client.get(f"{URL}/c").json["deleting"]
    assert client.delete(f"{URL}/c").json["job_id"] == first
    services.jobs.discard(first)  # as if the process had died before it recorded the job
    assert client.delete(f"{URL}/c").json["job_id"] == first
    assert {task["job_id"] for task in tasks("store")} == {first}


def test_after_a_cancelled_deletion_comes_a_new_one(
    client: FlaskClient, services: Services
) -> None:
    services.catalogue.bind("c", encoder="e", dim=4)
    first = client.delete(f"{URL}/c").json["job_id"]
    client.delete(f"/api/v1/jobs/{first}")
    second = client.delete(f"{URL}/c")
    assert (second.status_code, second.json["job_id"] == first) == (202, False)


def test_an_unknown_collection_is_a_404(client: FlaskClient, redis: Client) -> None:
    before = set(kept_in(redis))
    assert client.delete(f"{URL}/nothing").status_code == 404
    assert client.get(f"{URL}/nothing").status_code == 404
    assert set(kept_in(redis)) == before
