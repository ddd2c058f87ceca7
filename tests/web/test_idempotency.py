"""`Idempotency-Key`: a request that is sent again makes nothing new."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from common.errors import BrokerUnavailable
from common.images import image_key
from common.keys import Keys, Scope
from common.redis import Client
from common.services import Services
from common.settings import Settings
from tests.clocks import kept_in
from tests.web.conftest import files, plain
from web import idempotency, waiting
from web.app import create_app

Tasks = Callable[[str], list[dict[str, Any]]]
IMAGES, SEARCH = "/api/v1/images", "/api/v1/search"
KEY = {"Idempotency-Key": "one-1"}


def _search(**fields: Any) -> dict[str, Any]:
    return {"file": (io.BytesIO(plain(1)), "q.png"), "wait": "0", **fields}


def test_the_same_images_with_the_same_key_are_one_job(client: FlaskClient, tasks: Tasks) -> None:
    # The boundary of each request is another; what it asks for is the same.
    answers = [client.post(IMAGES, data=files(plain(), plain(9)), headers=KEY) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["job_id"] for answer in answers}) == 1
    assert len(tasks("index")) == 1


def test_the_same_search_with_the_same_key_is_one_job_however_long_it_waits(
    client: FlaskClient, services: Services, tasks: Tasks
) -> None:
    first = client.post(SEARCH, data=_search(limit="3"), headers=KEY).json
    services.jobs.succeed(first["job_id"], {"matches": []})
    again = client.post(SEARCH, data=_search(limit="3", wait="1"), headers=KEY)
    assert (again.status_code, again.json["job_id"]) == (200, first["job_id"])
    assert len(tasks("search")) == 1


def test_json_is_compared_by_what_it_says(client: FlaskClient, tasks: Tasks) -> None:
    bodies = ['{"text": "a", "limit": 2, "wait": 0.01}', '{ "limit":2, "wait": 0, "text":"a" }']
    headers = {**KEY, "Content-Type": "application/json"}
    ids = {client.post(SEARCH, data=b, headers=headers, query_string=None).json["job_id"]
           for b in bodies}  # fmt: skip
    assert (len(ids), len(tasks("search"))) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"data": lambda: files(plain(1))},
        {"data": lambda: files(plain(), names=("b.png",))},
        {"data": lambda: {**files(plain()), "collection": "other"}},
        {"json": lambda: {"urls": ["http://93.184.216.34/a.jpg"]}},
    ],
)
def test_a_key_with_another_request_is_refused(
    client: FlaskClient, tasks: Tasks, other: dict[str, Callable[[], Any]]
) -> None:
    client.post(IMAGES, data=files(plain()), headers=KEY)
    body = {name: make() for name, make in other.items()}
    answer = client.post(IMAGES, **body, headers=KEY)
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(tasks("index")) == 1


def test_a_key_with_another_webhook_is_refused(services: Services, tasks: Tasks) -> None:
    secret = "whsec_" + "A" * 32
    changed = {"webhook_secret": secret, "url_allow_hosts": "127.0.0.1"}
    client = create_app(services.settings.model_copy(update=changed)).test_client()
    hook = {**KEY, "Needle-Webhook": "http://127.0.0.1:9/a"}
    codes = [
        client.post(IMAGES, data=files(plain()), headers=headers).status_code
        for headers in (hook, hook, {**hook, "Needle-Webhook": "http://127.0.0.1:9/b"}, KEY)
    ]
    assert codes == [202, 202, 422, 422] and len(tasks("index")) == 1


def test_other_keys_and_other_calls_are_apart(client: FlaskClient) -> None:
    ids = [
        client.post(IMAGES, data=files(plain()), headers={"Idempotency-Key": key}).json["job_id"]
        for key in ("a", "b")
    ]
    ids.append(client.post(SEARCH, data=_search(), headers={"Idempotency-Key": "a"}).json["job_id"])
    assert len(set(ids)) == 3


def test_two_at_once_make_one_job(app: Flask, tasks: Tasks) -> None:
    def post(_: int) -> str:
        answer = app.test_client().post(IMAGES, data=files(plain(), plain(9)), headers=KEY)
        assert answer.status_code == 202, answer.json
        found: str = answer.json["job_id"]
        return found

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(post, range(8)))
    assert (len(ids), len(tasks("index"))) == (1, 1)


def test_a_key_is_kept_a_day(client: FlaskClient, redis: Client) -> None:
    client.post(IMAGES, data=files(plain()), headers=KEY)
    (name,) = redis.keys("needle:once:*")
    assert 86_000 < redis.ttl(name) <= 86_400


def test_a_request_that_fails_leaves_its_key_free(
    client: FlaskClient, services: Services, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise BrokerUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(services.queue, "submit", away)
        assert client.post(IMAGES, data=files(plain()), headers=KEY).status_code == 503
    left = ["needle:beginnings"]
    assert kept_in(redis) == left, "until somebody has seen that nothing is left"
    redis.delete(*left)
    bad = client.post(SEARCH, data=_search(box="0,0,999,999"), headers=KEY)
    assert (bad.status_code, kept_in(redis)) == (400, [])
    assert client.post(IMAGES, data=files(plain()), headers=KEY).status_code == 202


def test_what_a_dead_process_left_is_made_again_as_a_job_of_its_own(
    client: FlaskClient, redis: Client, tasks: Tasks
) -> None:
    first = client.post(IMAGES, data=files(plain()), headers=KEY).json["job_id"]
    (name,) = redis.keys("needle:once:*")
    claim = json.loads(redis.get(name))
    # As if the process had died between the claim and the tasks, long ago.
    redis.delete("index", f"needle:job:{first}", f"needle:job:{first}:items")
    redis.set(name, json.dumps({**claim, "done": False, "at": claim["at"] - 10_000}))
    again = client.post(IMAGES, data=files(plain()), headers=KEY)
    assert again.status_code == 202 and again.json["job_id"] != first
    assert [task["job_id"] for task in tasks("index")] == [again.json["job_id"]]


@pytest.mark.parametrize("fails", [False, True])
def test_one_that_was_held_up_touches_nothing_of_the_one_that_took_its_key_over(
    client: FlaskClient,
    services: Services,
    redis: Client,
    tasks: Tasks,
    monkeypatch: pytest.MonkeyPatch,
    fails: bool,
) -> None:
    submit, second = services.queue.submit, []

    def held_up(*args: Any) -> None:
        monkeypatch.setattr(services.queue, "submit", submit)
        (name,) = redis.keys("needle:once:*")
        redis.set(name, json.dumps({**json.loads(redis.get(name)), "at": 0}))
        second.append(client.post(IMAGES, data=files(plain()), headers=KEY).json["job_id"])
        if fails:
            raise BrokerUnavailable("away")
        submit(*args)

    monkeypatch.setattr(services.queue, "submit", held_up)
    first = client.post(IMAGES, data=files(plain()), headers=KEY)
    assert first.status_code == (503 if fails else 202)
    assert second[0] in [task["job_id"] for task in tasks("index")]
    job = services.jobs.get(second[0])
    (item,) = services.jobs.items(job.job_id, offset=0, limit=9)
    record = services.catalogue.get("default", str(item.image_id))
    assert services.images.exists(image_key("default", record.image_id))
    again = client.post(IMAGES, data=files(plain()), headers=KEY)
    assert again.json["job_id"] == second[0], "the key is the second one's"


def test_a_first_request_that_takes_long_is_a_409_to_the_second(
    client: FlaskClient, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PATIENCE_S", 0.0)
    client.post(IMAGES, data=files(plain()), headers=KEY)
    (name,) = redis.keys("needle:once:*")
    redis.set(name, json.dumps({**json.loads(redis.get(name)), "done": False}))
    answer = client.post(IMAGES, data=files(plain()), headers=KEY)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "in_progress")


def test_where_many_wait_nobody_waits_for_the_first_request(
    app: Flask, client: FlaskClient, redis: Client
) -> None:
    client.post(IMAGES, data=files(plain()), headers=KEY)
    (name,) = redis.keys("needle:once:*")
    redis.set(name, json.dumps({**json.loads(redis.get(name)), "done": False}))
    waiting.install(app, places=1)
    with app.app_context(), waiting.place():
        began = time.monotonic()
        answer = client.post(IMAGES, data=files(plain()), headers=KEY)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "in_progress")
    assert time.monotonic() - began < idempotency.PATIENCE_S / 2


def test_holders_of_other_api_keys_have_keys_of_their_own(
    client: FlaskClient, settings: Settings
) -> None:
    keys = Keys(settings.data_dir)
    first, second = (
        {**KEY, "Authorization": f"Bearer {keys.make(name, Scope.WRITE)[1]}"} for name in "ab"
    )
    one = client.post(IMAGES, data=files(plain(1)), headers=first)
    other = client.post(IMAGES, data=files(plain(2)), headers=second)
    assert (one.status_code, other.status_code) == (202, 202)
    again = client.post(IMAGES, data=files(plain(1)), headers=first)
    assert again.json["job_id"] == one.json["job_id"] != other.json["job_id"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\xe9"])
def test_a_key_that_is_none_is_refused(client: FlaskClient, redis: Client, key: str) -> None:
    answer = client.post(IMAGES, data=files(plain()), headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_request")
    assert kept_in(redis) == []


def test_a_full_queue_does_not_hide_the_job_of_a_key(client: FlaskClient, redis: Client) -> None:
    job_id = client.post(IMAGES, data=files(plain()), headers=KEY).json["job_id"]
    redis.rpush("index", *["{}"] * 30)
    again = client.post(IMAGES, data=files(plain()), headers=KEY)
    assert (again.status_code, again.json["job_id"]) == (202, job_id)


def test_a_key_with_another_picture_of_the_same_name_is_refused(
    client: FlaskClient, tasks: Tasks
) -> None:
    assert client.post(SEARCH, data=_search(), headers=KEY).status_code == 202
    other = {"file": (io.BytesIO(plain(2)), "q.png"), "wait": "0"}
    answer = client.post(SEARCH, data=other, headers=KEY)
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(tasks("search")) == 1


def test_a_request_that_works_for_long_keeps_its_key(
    client: FlaskClient, services: Services, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "HELD_S", 0.02)
    submit = services.queue.submit

    def slowly(*args: Any) -> None:
        (name,) = redis.keys("needle:once:*")
        claim = json.loads(redis.get(name))
        redis.set(name, json.dumps({**claim, "at": 0}))  # as if it had begun long ago
        deadline = time.monotonic() + 10
        while not json.loads(redis.get(name))["at"] and time.monotonic() < deadline:
            pass
        assert json.loads(redis.get(name))["at"]
        submit(*args)

    monkeypatch.setattr(services.queue, "submit", slowly)
    assert client.post(IMAGES, data=files(plain()), headers=KEY).status_code == 202
