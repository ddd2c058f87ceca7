"""How often each may ask: counted by Flask-Limiter, in the Redis that is there."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.keys import Keys, Scope
from common.redis import Client
from common.settings import Settings
from web.app import create_app
from web.rates import WINDOW_S, network, window

IMAGES = "/api/v1/images"


@pytest.fixture
def client(settings: Settings, redis: Client) -> FlaskClient:
    """Return a client of a service that takes one request in ten seconds of each."""
    return create_app(settings.model_copy(update={"rate_per_minute": 6})).test_client()


def statuses(client: FlaskClient, address: str, count: int, path: str = IMAGES) -> list[int]:
    """Return how requests from an address are answered."""
    found = []
    for _ in range(count):
        with client.get(path, environ_base={"REMOTE_ADDR": address}) as answer:
            found.append(answer.status_code)
    return found


def test_each_key_and_each_other_address_has_a_rate(
    client: FlaskClient, settings: Settings
) -> None:
    keys = Keys(settings.data_dir)
    headers: list[dict[str, Any]] = [
        {"Authorization": f"Bearer {keys.make(name, Scope.READ)[1]}"} for name in "ab"
    ]
    assert [client.get(IMAGES, headers=headers[0]).status_code for _ in "12"] == [200, 429]
    answer = client.get(IMAGES, headers=headers[0])
    assert answer.json["error"]["code"] == "overloaded"
    assert 1 <= int(answer.headers["Retry-After"]) <= WINDOW_S
    assert answer.json["error"]["retry_after_s"] == int(answer.headers["Retry-After"])
    assert client.get(IMAGES, headers=headers[1]).status_code == 200
    assert statuses(client, "9.9.9.9", 2) == [401, 429], "whoever guesses is slowed down, too"
    assert statuses(client, "9.9.9.8", 2, "/no/such/route") == [401, 429]
    assert statuses(client, "9.9.9.9", 2, "/livez") == [200, 200]


def test_this_machine_without_a_key_is_not_counted(client: FlaskClient) -> None:
    assert statuses(client, "127.0.0.1", 3) == statuses(client, "::1", 3) == [200] * 3
    assert statuses(client, "9.9.9.9", 2) == [200, 429]


def test_whoever_has_a_network_of_addresses_has_one_rate(client: FlaskClient) -> None:
    assert statuses(client, "2600:1:2:3::1", 1) == [200]
    assert statuses(client, "2600:1:2:3:ffff:1:2:3", 1) == [429], "the same network"
    assert statuses(client, "2600:1:2:4::1", 1) == [200]
    assert statuses(client, "::ffff:9.9.9.9", 1) == [200]
    assert statuses(client, "9.9.9.9", 1) == [429], "the same address"
    assert statuses(client, "::ffff:9.9.9.8", 1) == [200]
    assert network("a socket of this machine") == "a socket of this machine"


def test_no_more_are_let_in_however_many_come_at_once(settings: Settings, redis: Client) -> None:
    app = create_app(settings.model_copy(update={"rate_per_minute": 60}))
    with ThreadPoolExecutor(16) as pool:
        each = list(pool.map(lambda _: statuses(app.test_client(), "9.9.9.9", 4), range(16)))
    assert sum(got.count(200) for got in each) == 10 and sum(got.count(429) for got in each) == 54


def test_a_rate_is_what_the_setting_says() -> None:
    for per_minute in range(1, 3000):
        count, seconds = window(per_minute)
        assert count * 60 == per_minute * seconds and WINDOW_S <= seconds <= 60


def test_redis_that_forgets_scripts_goes_on_counting(client: FlaskClient, redis: Client) -> None:
    assert statuses(client, "9.9.9.9", 1) == [200]
    redis.script_flush()
    assert statuses(client, "9.9.9.9", 1) == [429]


def test_what_is_counted_does_not_stay(client: FlaskClient, redis: Client) -> None:
    statuses(client, "9.9.9.9", 3)
    left = [redis.pttl(key) for key in redis.keys("*rate*")]
    assert len(left) == 1 and 0 < left[0] <= WINDOW_S * 1000


def test_without_redis_nobody_is_counted_and_nothing_breaks(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    away = {"rate_per_minute": 6, "redis_url": f"unix://{settings.data_dir}/none"}
    client = create_app(settings.model_copy(update=away)).test_client()
    assert statuses(client, "9.9.9.9", 2) == [503] * 2
    answer = client.get(IMAGES, environ_base={"REMOTE_ADDR": "9.9.9.9"})
    assert answer.json["error"]["code"] == "broker_unavailable"
    assert statuses(client, "9.9.9.9", 2, "/") == [200] * 2
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
