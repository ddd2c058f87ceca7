"""Every error has the one shape, whichever part of the server finds it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from common.redis import Client
from tests.clocks import kept_in
from tests.web.conftest import files, plain

JSON = {"Content-Type": "application/json"}
DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("GET", "/api/v1/nowhere", {}, 404, "not_found"),
        ("GET", "/api/v1/images/none", {}, 404, "not_found"),
        ("PUT", "/api/v1/images", {}, 405, "method_not_allowed"),
        ("POST", "/livez", {}, 405, "method_not_allowed"),
        ("POST", "/api/v1/search", {"data": b"{", "headers": JSON}, 400, "bad_request"),
        ("POST", "/api/v1/search", {"data": DEEP, "headers": JSON}, 400, "bad_request"),
        ("POST", "/api/v1/search", {"data": b"[1]", "headers": JSON}, 400, "bad_request"),
        ("POST", "/api/v1/search", {"json": {"text": "a", "limit": "5"}}, 400, "bad_request"),
        ("POST", "/api/v1/images", {"data": {"metadata": DEEP}}, 400, "bad_request"),
        (
            "POST", "/api/v1/search",
            {"data": b'{"text": "\\ud800"}', "headers": JSON}, 400, "bad_request",
        ),
        (
            "POST", "/api/v1/search",
            {"data": b'{"text": "a", "filter": {"x": NaN}}', "headers": JSON}, 400, "bad_request",
        ),
        (
            "POST", "/api/v1/search",
            {"json": {"text": "a", "filter": {"x": {"gte": 10**400}}}}, 400, "bad_request",
        ),
        (
            "POST", "/api/v1/search",
            {"data": b"x", "headers": {"Content-Type": "text/plain"}}, 415,
            "unsupported_media_type",
        ),
        (
            "POST", "/api/v1/collections", {"data": {"name": "a"}}, 415, "unsupported_media_type",
        ),
        ("POST", "/api/v1/images", {"data": b"x" * 2_000_001, "headers": JSON}, 413, "too_large"),
        ("GET", "/api/v1/images?limit=0", {}, 400, "bad_request"),
        ("GET", "/api/v1/images?limit=1&limit=2", {}, 400, "bad_request"),
        ("GET", "/api/v1/images?offset=99999999999999999999", {}, 400, "bad_request"),
        ("GET", "/api/v1/images?cursor=x", {}, 400, "bad_request"),
        ("GET", "/api/v1/images?colour=red", {}, 400, "bad_request"),
        ("GET", "/api/v1/jobs?status=odd", {}, 400, "bad_request"),
        ("DELETE", "/api/v1/jobs/x?now=1", {}, 400, "bad_request"),
    ],
)  # fmt: skip
def test_an_error_has_a_code_and_a_sentence(
    client: FlaskClient, redis: Client, method: str, path: str, more: Any, status: int, code: str
) -> None:
    answer = client.open(path, method=method, **more)
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert set(answer.json) == {"error"}
    assert answer.json["error"]["code"] == code
    assert answer.json["error"]["message"]
    assert kept_in(redis) == []


def test_a_405_names_what_is_allowed(client: FlaskClient) -> None:
    assert set(client.put("/api/v1/images").headers["Allow"].split(", ")) >= {"GET", "POST"}


def test_a_full_queue_is_429_with_a_time_to_come_back(client: FlaskClient, redis: Client) -> None:
    redis.rpush("index", *range(20))
    answer = client.post("/api/v1/images", data=files(plain()))
    assert (answer.status_code, answer.json["error"]["code"]) == (429, "overloaded")
    assert int(answer.headers["Retry-After"]) > 0


def test_what_nobody_foresaw_is_a_500_in_the_same_shape_without_its_words(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(app.extensions["needle"].jobs, "get", break_down)
    answer = client.get("/api/v1/jobs/x/items")
    assert (answer.status_code, answer.json["error"]["code"]) == (500, "internal")
    assert "secret" not in answer.text
