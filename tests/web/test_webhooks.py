"""`Needle-Webhook` with any request that makes a job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.catalogue import ImageRecord
from common.redis import Client
from common.services import Services
from common.settings import Settings
from needle import Needle
from tests.web.conftest import files, light, plain
from web.app import create_app
from web.operation import declared

URL = "http://127.0.0.1:9/hook"
SECRET = "whsec_" + "A" * 32


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        redis_url=redis_url,
        webhook_secret=SECRET,
        url_allow_hosts="127.0.0.1",
    )


CALLS: dict[str, Callable[[FlaskClient, dict[str, str]], Any]] = {
    "index": lambda c, h: c.post("/api/v1/images", data=files(plain()), headers=h),
    "urls": lambda c, h: c.post("/api/v1/images", json={"urls": ["http://127.0.0.1/a"]}, headers=h),
    "search": lambda c, h: c.post(
        "/api/v1/search", json={"image_id": "image-1", "wait": 0}, headers=h
    ),
    "searches": lambda c, h: c.post(
        "/api/v1/searches", json={"queries": [{"image_id": "image-1"}]}, headers=h
    ),
    "tag": lambda c, h: c.patch(
        "/api/v1/images/image-1?wait=0", json={"metadata": {"a": 1}}, headers=h
    ),
    "delete": lambda c, h: c.delete("/api/v1/images/image-1?wait=0", headers=h),
    "collection": lambda c, h: c.delete("/api/v1/collections/default", headers=h),
    "verify": lambda c, h: c.post("/api/v1/collections/default/verify", json={}, headers=h),
    "reindex": lambda c, h: c.post("/api/v1/collections/default/reindex", json={}, headers=h),
    "backup": lambda c, h: c.post("/api/v1/backups", headers=h),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_request_that_makes_a_job_takes_one(
    client: FlaskClient, services: Services, indexed: ImageRecord, redis: Client, call: str
) -> None:
    services.catalogue.bind("default", encoder="e", dim=4)
    light(redis, "index", {"encoder": "e", "name": "mini", "has_text": False})
    answer = CALLS[call](client, {"Needle-Webhook": URL})
    assert answer.status_code == 202, answer.json
    assert answer.json["webhook"] == {"delivered": False, "attempts": 0, "last_error": None}
    webhook = services.jobs.get(answer.json["job_id"]).webhook
    assert webhook and webhook.url == URL
    (listed,) = client.get("/api/v1/jobs").json["jobs"]  # type: ignore[index]
    assert listed["webhook"] == answer.json["webhook"]
    bare = client.post("/api/v1/images", data=files(plain(7))).json
    assert call == "collection" or (bare and bare["webhook"] is None)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://127.0.0.1/", "is not an http or https URL"),
        ("http://10.0.0.1/", "not public"),
        ("http://user:word@127.0.0.1/", "user name or password"),
        ("http://no-such-host.invalid/", "cannot be found"),
        ("http://127.0.0.1/" + "a" * 2048, "2048"),
    ],
)
def test_a_bad_one_is_refused_and_nothing_is_stored(
    client: FlaskClient, services: Services, redis: Client, url: str, said: str
) -> None:
    answer = client.post("/api/v1/images", data=files(plain()), headers={"Needle-Webhook": url})
    assert answer.status_code == 400 and said in answer.json["error"]["message"]  # type: ignore
    assert services.jobs.list.count() == 0 and not redis.llen("index")
    assert not services.images.names("images")


def test_a_service_without_a_secret_says_so(redis: Client, redis_url: str, tmp_path: Path) -> None:
    client = create_app(Settings(data_dir=tmp_path, redis_url=redis_url)).test_client()
    answer = client.post("/api/v1/images", data=files(plain()), headers={"Needle-Webhook": URL})
    assert answer.status_code == 400
    assert "NEEDLE_WEBHOOK_SECRET" in answer.json["error"]["message"]  # type: ignore[index]


def test_the_document_names_the_header_where_a_job_is_made(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document
    made = 0
    for path in document["paths"].values():
        for operation in path.values():
            named = {one["name"] for one in operation.get("parameters", [])}
            assert ("Needle-Webhook" in named) == ("202" in operation["responses"])
            made += "202" in operation["responses"]
    assert made == 10 and declared


def test_the_secret_is_checked_and_not_printed() -> None:
    with pytest.raises(ValueError, match="webhook_secret"):
        Settings(webhook_secret="hunter2")
    two = Settings(webhook_secret=f"{SECRET} {SECRET}")
    assert len(two.webhook_secrets) == 2 and SECRET not in repr(two)


def test_the_python_client_refuses_what_is_no_url() -> None:
    with pytest.raises(ValueError, match="webhook"):
        Needle("http://x", webhook="http://x/\n")
