"""Images are written to a store that is far away several at a time, and nothing else changes.

Requests are counted, not timed: the store answers none before as many wait as are to be made.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from common.errors import StoreUnavailable
from common.images import ahead
from common.images.ahead import AT_ONCE
from common.redis import Client
from common.services import Services
from common.settings import Settings
from tests.clocks import kept_in
from tests.far import FarStore
from tests.web.conftest import files, plain
from tests.web.test_post_images import URL, items_of, stored


@pytest.fixture
def far(app: Flask, services: Services, settings: Settings) -> FarStore:
    """Return the application's store, as it would be on another machine."""
    store = FarStore(settings.data_dir)
    app.extensions["needle"] = replace(services, images=store)
    return store


def test_images_of_a_request_are_written_together(
    client: FlaskClient, far: FarStore, settings: Settings
) -> None:
    far.expected = AT_ONCE
    contents = [plain(n) for n in range(30, 30 + AT_ONCE + 3)]  # whose locks lie in several files
    answer = client.post(URL, data=files(*contents, b"no image", contents[0]))
    assert answer.status_code == 202
    items = items_of(client, answer.json)
    assert far.most == AT_ONCE, "and never more"
    assert [item["name"] for item in items] == [f"{n}.png" for n in range(AT_ONCE + 5)]
    assert [item["status"] for item in items].count("failed") == 1
    assert len(stored(settings.data_dir / "images")) == AT_ONCE + 3


def test_what_waits_to_be_written_is_bounded_in_bytes(
    client: FlaskClient, far: FarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "MOST_BYTES", 2 * len(plain(1)))
    far.expected = 2
    assert client.post(URL, data=files(*[plain(1 + n) for n in range(6)])).status_code == 202
    assert far.most == 2
    monkeypatch.setattr(ahead, "MOST_BYTES", 1)
    far.most, far.expected = 0, 1
    assert client.post(URL, data=files(*[plain(20 + n) for n in range(3)])).status_code == 202
    assert far.most == 1, "one that is larger goes alone"


@pytest.mark.parametrize("number", [0, 5, AT_ONCE + 1])
def test_one_that_cannot_be_written_takes_the_others_back(
    client: FlaskClient, far: FarStore, redis: Client, settings: Settings, number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    contents = [plain(n) for n in range(AT_ONCE + 2)]
    near = far.put

    def put(key: str, content: bytes) -> None:
        if content == contents[number]:
            raise StoreUnavailable("away")
        near(key, content)

    monkeypatch.setattr(far, "put", put)
    answer = client.post(URL, data=files(*contents))
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "store_unavailable")
    assert kept_in(redis) == [] and stored(settings.data_dir / "images") == []
    assert far.waiting == 0, "nobody writes any more"


def test_a_store_on_the_disk_is_written_to_one_after_the_other(
    client: FlaskClient, far: FarStore
) -> None:
    far.on_disk = True
    assert client.post(URL, data=files(*[plain(n) for n in range(5)])).status_code == 202
    assert far.most == 1
