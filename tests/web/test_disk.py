"""A disk that is nearly full: no images are taken, nothing has changed, and searches go on."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.disk import Disk
from common.redis import Client
from common.services import Services
from common.settings import Settings
from tests.clocks import kept_in
from tests.web.conftest import files, light, plain
from tests.web.test_post_images import Tasks, stored

IMAGES, SEARCH = "/api/v1/images", "/api/v1/search"
LEAST = 512 * 2**20


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what sets how many bytes the disk has left."""

    def set_to(free_bytes: int) -> None:
        monkeypatch.setattr(Disk, "free_bytes", lambda self: free_bytes)

    return set_to


def query() -> dict[str, Any]:
    return {"file": (io.BytesIO(plain(1)), "q.png"), "wait": "0"}


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one"}])
@pytest.mark.parametrize(
    "body",
    [
        {"data": lambda: files(plain(1), plain(2))},
        {"json": lambda: {"urls": ["http://93.184.216.34/a.jpg"]}},
    ],
)
def test_images_are_refused_with_507_and_nothing_changes(
    client: FlaskClient,
    redis: Client,
    settings: Settings,
    free: Any,
    body: dict[str, Any],
    headers: dict[str, str],
) -> None:
    free(LEAST - 2**20)
    sent = {name: make() for name, make in body.items()}
    answer = client.post(IMAGES, **sent, headers=headers)
    assert (answer.status_code, answer.json["error"]["code"]) == (507, "disk_full")
    assert "511 MB" in answer.json["error"]["message"], "it says how much is left"
    assert kept_in(redis) == []
    assert stored(settings.data_dir / "images") == []
    free(2 * LEAST)
    sent = {name: make() for name, make in body.items()}
    assert client.post(IMAGES, **sent, headers=headers).status_code == 202


def test_a_request_that_is_too_large_for_any_disk_is_its_clients_fault(
    client: FlaskClient, settings: Settings
) -> None:
    for length in (settings.max_request_bytes + 1, 10**20):
        answer = client.post(IMAGES, environ_overrides={"CONTENT_LENGTH": str(length)})
        assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")


def test_a_disk_that_fills_up_within_a_request_takes_all_of_it_back(
    client: FlaskClient, redis: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def less_each_time(self: Disk) -> int:
        asked.append(1)
        return LEAST * 2 if len(asked) < 4 else LEAST

    monkeypatch.setattr(Disk, "free_bytes", less_each_time)
    answer = client.post(IMAGES, data=files(*map(plain, range(4))))
    assert (answer.status_code, len(asked)) == (507, 4)
    assert kept_in(redis) == []
    assert stored(settings.data_dir / "images") == []


def test_searches_go_on_until_nothing_is_left_for_them(
    client: FlaskClient, redis: Client, settings: Settings, tasks: Tasks, free: Any
) -> None:
    free(LEAST // 4)
    assert client.post(SEARCH, data=query()).status_code == 202
    assert len(tasks("search")) == 1
    free(LEAST // 16)
    answer = client.post(SEARCH, data=query())
    assert (answer.status_code, answer.json["error"]["code"]) == (507, "disk_full")
    assert len(tasks("search")) == 1


def test_readyz_says_so(client: FlaskClient, redis: Client, services: Services, free: Any) -> None:
    for role in ("index", "search"):
        light(redis, role, {"encoder": "e"})
    free(LEAST - 2**20)
    answer = client.get("/readyz")
    (problem,) = answer.json["problems"]
    assert (answer.status_code, problem["code"]) == (200, "disk_full")
    free(LEAST)
    assert client.get("/readyz").json["problems"] == []


def test_where_nobody_asks_for_space_none_is_needed(tmp_path: Any, free: Any) -> None:
    from common.disk import Use

    free(0)
    Disk(tmp_path / "not" / "there", 0).check(Use.ACCEPT, 100)
