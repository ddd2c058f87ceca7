"""Searches, jobs, images and health, as far as they go without a worker."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.beacons import beacon_key
from common.catalogue import ImageRecord, IndexState
from common.errors import NotFound
from common.images import query_key
from common.jobs import Item, Kind
from common.redis import Client
from common.services import Services
from tests.clocks import kept_in
from tests.unit.test_orders import FORM_1_SEARCH
from tests.web.conftest import files, light, plain

Tasks = Callable[[str], list[dict[str, Any]]]
SEARCH = "/api/v1/search"


def query(**fields: Any) -> dict[str, Any]:
    return {"file": (io.BytesIO(plain(1)), "q.png"), "wait": "0", **fields}


def test_a_search_is_recorded_then_enqueued(
    client: FlaskClient, services: Services, tasks: Tasks
) -> None:
    answer = client.post(SEARCH, data=query(limit="5", aggregate="mean", box="1,2,11,12"))
    assert answer.status_code == 202
    job_id = answer.json["job_id"]
    assert answer.headers["Location"].endswith(job_id)
    assert tasks("search") == [{"job_id": job_id}]
    details = services.jobs.get(job_id).details
    assert (details["limit"], details["aggregate"]) == (5, "mean")
    assert details["box"] == [1, 2, 11, 12]
    assert services.images.open(query_key(job_id)) == plain(1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"data": {}}, 400, "bad_request"),
        ({"data": query(url="http://example.com/q.png")}, 400, "bad_request"),
        ({"data": query(text_weight="2")}, 400, "bad_request"),
        ({"data": query(same_kind="1.5")}, 400, "bad_request"),
        ({"data": query(examples='[{"url": "u", "image_id": "i"}]')}, 400, "bad_request"),
        ({"data": query(negatives='[{"image_id": "nothing"}]')}, 404, "not_found"),
        ({"json": {"text": "a cat", "detect": True}}, 400, "bad_request"),
        ({"json": {"negatives": [{"image_id": "nothing"}]}}, 400, "bad_request"),
        ({"data": query(limit="0")}, 400, "bad_request"),
        ({"data": query(aggregate="median")}, 400, "bad_request"),
        ({"data": query(min_score="2")}, 400, "bad_request"),
        ({"data": query(verify="perhaps")}, 400, "bad_request"),
        ({"data": query(verify_budget_ms="0")}, 400, "bad_request"),
        ({"data": query(box="1,2,3")}, 400, "bad_request"),
        ({"data": query(box="5,5,5,9")}, 400, "invalid_box"),
        ({"data": query(box="0,0,41,10")}, 400, "invalid_box"),
        ({"data": query(filter="{")}, 400, "bad_request"),
        ({"data": query(filter='{"year": {"about": 3}}')}, 400, "bad_request"),
        ({"data": query(filter='{"year": null}')}, 400, "bad_request"),
        ({"data": query(collection="nowhere")}, 404, "not_found"),
        ({"data": query(file=(io.BytesIO(b"text"), "q.png"))}, 415, "invalid_image"),
        ({"json": {"image_id": "nothing"}}, 404, "not_found"),
        ({"json": {"url": "http://10.0.0.1/q.png"}}, 400, "invalid_url"),
        ({"json": {"text": "a cat", "box": [0, 0, 5, 5]}}, 400, "bad_request"),
        ({"json": {"text": "a cat", "colour": "red"}}, 400, "bad_request"),
    ],
)
def test_a_bad_search_is_a_4xx_and_changes_nothing(
    client: FlaskClient, redis: Client, body: Any, status: int, code: str
) -> None:
    answer = client.post(SEARCH, **body)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert kept_in(redis) == []


def test_a_text_without_a_text_side_is_refused_with_the_packs_that_have_one(
    client: FlaskClient, redis: Client
) -> None:
    models = {"name": "mini", "encoder": "e", "has_text": False}
    redis.hset("needle:models", "index", json.dumps(models))
    answer = client.post(SEARCH, json={"text": "a cat"})
    assert answer.status_code == 422
    assert "standard" in answer.json["error"]["message"]


def test_a_box_of_an_indexed_image_must_lie_in_it(
    client: FlaskClient, indexed: ImageRecord
) -> None:
    body = {"image_id": indexed.image_id, "box": [0, 0, 61, 40], "wait": 0}
    assert client.post(SEARCH, json=body).json["error"]["code"] == "invalid_box"
    assert client.post(SEARCH, json=body | {"box": [0, 0, 60, 40]}).status_code == 202


def test_a_finished_search_carries_urls(client: FlaskClient, services: Services) -> None:
    job_id = client.post(SEARCH, data=query()).json["job_id"]
    hit = {"box": [1, 2, 3, 4], "score": 0.9, "source": "tile"}
    size = {"filename": "a.jpg", "width": 9, "height": 9, "metadata": {}}
    match = {"image_id": "image-1", "score": 0.9, "distance": 0.1, **size, "hits": [hit]}
    services.jobs.succeed(job_id, {"matches": [match]})
    match = client.get(f"/api/v1/jobs/{job_id}").json["result"]["matches"][0]
    assert match["urls"]["file"] == "/api/v1/images/image-1/file"
    assert match["hits"][0]["urls"]["crop"] == "/api/v1/images/image-1/crop?box=1,2,3,4"


def test_a_result_repeats_every_field_of_the_query(client: FlaskClient, services: Services) -> None:
    options = {"rotate": True, "same_kind": 0.5, "detect": True, "text_weight": 0.2}
    job_id = client.post(SEARCH, data=query(**options, box="1,2,11,12")).json["job_id"]
    services.jobs.succeed(job_id, {"matches": []})
    found = client.get(f"/api/v1/jobs/{job_id}").json["result"]["query"]
    assert found == {
        **options, "box": [1, 2, 11, 12], "filename": "q.png", "url": None, "image_id": None,
        "text": None, "examples": [], "negatives": [],
    }  # fmt: skip


def test_a_search_of_before_an_upgrade_is_shown(client: FlaskClient, services: Services) -> None:
    hit = {"box": [1, 2, 3, 4], "score": 0.9, "source": "tile", "label": None, "confidence": None}
    size = {"filename": "a.jpg", "width": 9, "height": 9, "metadata": {}}
    match = {"image_id": "image-1", "score": 0.9, "distance": 0.1, **size, "hits": [hit]}
    services.jobs.create("old", Kind.SEARCH, [Item(0, "query")], FORM_1_SEARCH)
    services.jobs.succeed("old", {"matches": [match], "timings_ms": {}, "index": {}})
    result = client.get("/api/v1/jobs/old").json["result"]
    assert (result["query"]["same_kind"], result["query"]["rotate"]) == (0.5, True)
    assert result["matches"][0]["hits"][0]["urls"]["crop"].endswith("/crop?box=1,2,3,4")
    assert len(result["urls"]["files"]) == 2


def test_a_job_that_cannot_be_read_says_so(client: FlaskClient, services: Services) -> None:
    services.jobs.create("new", Kind.SEARCH, [Item(0, "query")], {"form": 3})
    assert client.get("/api/v1/jobs/new").status_code == 200  # how it stands can be told
    services.jobs.succeed("new", {"matches": []})
    for answer in (client.get("/api/v1/jobs/new"), client.delete("/api/v1/jobs/new")):
        assert (answer.status_code, answer.json["status"]) == (200, "succeeded")
        assert (answer.json["result"], answer.json["error"]["code"]) == (None, "incompatible_job")
    assert client.get("/api/v1/jobs").json["total"] == 1
    services.jobs.create("gone", Kind.DELETE, [Item(0, "image")], {"form": 3})
    assert client.get("/api/v1/jobs/gone/items").status_code == 200


def test_a_new_job_tells_how_far_it_is(client: FlaskClient) -> None:
    job = client.post("/api/v1/images", data=files(plain(1), plain(2))).json
    assert job["progress"] == {
        "total": 2, "done": 0, "failed": 0, "rate_per_s": None, "eta_s": None,
    }  # fmt: skip


def test_an_answer_about_a_job_is_one_read(client: FlaskClient, redis: Client) -> None:
    job_id = client.post("/api/v1/images", data=files(plain())).json["job_id"]
    redis.config_resetstat()
    assert client.get(f"/api/v1/jobs/{job_id}").status_code == 200
    commands = {
        name: stat["calls"]
        for name, stat in redis.info("commandstats").items()
        if name not in ("cmdstat_config", "cmdstat_hello", "cmdstat_client", "cmdstat_ping")
    }
    assert commands.pop("cmdstat_hgetall") == 1
    own = {"cmdstat_info", "cmdstat_config|resetstat", "cmdstat_client|setinfo"}
    assert set(commands) - own == {"cmdstat_time"}, "in the same round trip"


def test_a_job_can_be_cancelled_and_unknown_ones_are_404(client: FlaskClient) -> None:
    job_id = client.post("/api/v1/images", data=files(plain())).json["job_id"]
    assert client.delete(f"/api/v1/jobs/{job_id}").json["status"] == "cancelled"
    items = client.get(f"/api/v1/jobs/{job_id}/items").json["items"]
    assert [item["status"] for item in items] == ["cancelled"]
    for answer in (client.get("/api/v1/jobs/x"), client.delete("/api/v1/jobs/x")):
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")


def test_an_image_is_listed_and_shown_with_its_regions(
    client: FlaskClient, indexed: ImageRecord
) -> None:
    listed = client.get("/api/v1/images").json
    assert (listed["total"], listed["images"][0]["image_id"]) == (1, "image-1")
    shown = client.get("/api/v1/images/image-1").json
    assert shown["regions"][0]["box"] == [0, 0, 30, 20]
    assert (shown["width"], shown["height"], shown["filename"]) == (60, 40, "a.jpg")


def test_the_file_comes_back_byte_for_byte_and_may_be_kept(
    client: FlaskClient, indexed: ImageRecord
) -> None:
    answer = client.get("/api/v1/images/image-1/file")
    assert answer.data == plain(5, size=(60, 40), kind="JPEG")
    assert answer.content_type == "image/jpeg"
    etag = answer.headers["ETag"]
    again = client.get("/api/v1/images/image-1/file", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["crop?box=0,0,30,20", "regions/0.jpg"])
def test_a_crop_has_the_pixels_of_its_box(
    client: FlaskClient, indexed: ImageRecord, path: str
) -> None:
    from PIL import Image

    answer = client.get(f"/api/v1/images/image-1/{path}")
    assert Image.open(io.BytesIO(answer.data)).size == (30, 20)


def test_crops_outside_the_image_are_refused(client: FlaskClient, indexed: ImageRecord) -> None:
    assert client.get("/api/v1/images/image-1/crop?box=0,0,61,1").status_code == 400
    assert client.get("/api/v1/images/image-1/crop").status_code == 400
    assert client.get("/api/v1/images/image-1/regions/1.jpg").status_code == 404


def test_a_deleted_image_is_gone_at_once_and_its_removal_is_enqueued(
    client: FlaskClient, services: Services, indexed: ImageRecord, tasks: Tasks
) -> None:
    answer = client.delete("/api/v1/images/image-1?wait=0")
    assert answer.status_code == 202
    assert client.get("/api/v1/images/image-1").status_code == 404
    assert tasks("store")[0]["image_id"] == "image-1"
    with pytest.raises(NotFound):
        services.catalogue.get("default", "image-1")


def test_readiness_counts_the_workers(client: FlaskClient, redis: Client) -> None:
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503
    light(redis, "index", {"encoder": "e"})
    light(redis, "search", {"encoder": "e"})
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["workers"]) == (200, {"index": 1, "search": 1})


def test_a_worker_that_says_nothing_any_more_is_missed(
    client: FlaskClient, redis: Client, services: Services
) -> None:
    """One that consumes nothing ends itself (`worker/stalling.py`), and its beacon fades."""
    for role in ("index", "search"):
        light(redis, role, {"encoder": "e"})
    assert client.get("/readyz").status_code == 200
    redis.delete(beacon_key("search", "a", 1))
    redis.rpush("search", "{}", "{}")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "starting")
    assert answer.json["workers"] == {"index": 1, "search": 0}
    assert answer.json["queues"]["search"] == 2


def test_readiness_looks_through_no_keys(client: FlaskClient, redis: Client) -> None:
    for role in ("index", "search"):
        light(redis, role, {"encoder": "e"})
    redis.config_resetstat()
    assert client.get("/readyz").status_code == 200
    asked = set(redis.info("commandstats"))
    assert "cmdstat_llen" in asked and not asked & {"cmdstat_keys", "cmdstat_scan"}


def test_workers_of_different_encoders_are_not_ready(
    client: FlaskClient, services: Services, redis: Client
) -> None:
    redis.hset("needle:models", "index", json.dumps({"encoder": "old"}))
    light(redis, "search", {"encoder": "new"})
    assert services.beacons.models() == {"encoder": "new"}, "the dead have no say"
    assert client.get("/readyz").json["models"]["encoder"] == "new"
    light(redis, "index", {"encoder": "old"})
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unavailable")
    assert answer.json["error"]["code"] == "encoder_mismatch"


def test_readyz_names_the_collections_in_bulk_mode(client: FlaskClient, services: Services) -> None:
    assert client.get("/readyz").json["bulk"] == []
    services.catalogue.tell_index("shop", IndexState(3, False, True))
    assert client.get("/readyz").json["bulk"] == ["shop"]


def test_readyz_names_what_was_set_aside_and_stays_ready(
    client: FlaskClient, services: Services, redis: Client
) -> None:
    for role in ("index", "search"):
        light(redis, role, {"encoder": "e"})
    assert client.get("/readyz").json["problems"] == []
    services.catalogue.tell_aside(["vectors/a.unreadable-1"])
    answer = client.get("/readyz")
    (problem,) = answer.json["problems"]
    assert (answer.status_code, problem["code"]) == (200, "index_unreadable")
    assert "vectors/a.unreadable-1" in problem["message"]


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing"])
def test_an_unknown_path_has_the_one_error_shape(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    assert client.put("/livez").json["error"]["code"] == "method_not_allowed"
