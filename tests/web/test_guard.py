"""Names, origins and headers: what a foreign page in somebody's browser may not do here."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.redis import Client
from common.settings import Settings
from tests.clocks import kept_in
from tests.web.conftest import files, plain
from web.app import create_app

IMAGES = "/api/v1/images"
OURS = {"Host": "localhost:8080"}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.nip.io"]
)
@pytest.mark.parametrize("path", ["/", IMAGES, "/livez", "/openapi.json", "/static/app.js"])
def test_a_name_that_is_not_ours_is_refused(client: FlaskClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert (answer.status_code, answer.json["error"]["code"]) == (421, "unknown_host")
    assert "NEEDLE_SERVER_NAMES" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "LocalHost", "127.0.0.1:8080", "[::1]:8080", "192.168.1.7"],
)
def test_this_machines_names_and_addresses_are_ours(client: FlaskClient, host: str) -> None:
    assert client.get("/livez", headers={"Host": host}).status_code == 200
    assert client.get("/livez", headers={"Host": socket.gethostname()}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example@localhost", "localhost/evil.example", "localhost?evil", "localhost#evil",
        "localhost:80:80", "localhost:evil", "[::1", "::1", "[]", ":80", ".", "",
    ],
)  # fmt: skip
def test_what_is_no_host_is_no_request(client: FlaskClient, host: str) -> None:
    answer = client.get("/livez", environ_overrides={"HTTP_HOST": host})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_request")


def test_further_names_are_a_setting(settings: Settings, redis: Client) -> None:
    for names, status in (("needle.example, other", 200), ("*", 200), ("", 421)):
        app = create_app(settings.model_copy(update={"server_names": names}))
        headers = {"Host": "Needle.example:443"}
        assert app.test_client().get("/livez", headers=headers).status_code == status


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": "http://localhost:8080@evil.example"},
        {"Origin": "http://localhost:8080, http://evil.example"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8080"},
    ],
)
def test_another_sites_page_changes_nothing(
    client: FlaskClient, redis: Client, foreign: dict[str, str]
) -> None:
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", IMAGES, {"data": files(plain())}),
        ("POST", "/api/v1/search", {"data": {"text": "a"}}),
        ("DELETE", f"{IMAGES}/x", {}),
        ("DELETE", "/api/v1/collections/default", {}),
    ]
    for method, path, body in requests:
        answer = client.open(path, method=method, headers={**OURS, **foreign}, **body)
        assert (answer.status_code, answer.json["error"]["code"]) == (403, "cross_site")
    assert kept_in(redis) == []
    assert client.get(IMAGES, headers={**OURS, **foreign}).status_code == 200, "it cannot read it"


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"Origin": "http://localhost:8080"},
        {"Origin": "https://localhost:8080", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_our_own_page_and_clients_that_are_no_browsers_may(
    client: FlaskClient, own: dict[str, str]
) -> None:
    answer = client.post(IMAGES, data=files(plain()), headers={**OURS, **own})
    assert answer.status_code == 202


def test_every_answer_tells_browsers_what_it_is_not(client: FlaskClient) -> None:
    for path in ("/", "/docs", "/static/app.js", IMAGES, "/nothing", "/openapi.json"):
        with client.get(path) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/api/v1//images", "/api//v1/images", "/api/v1/images/", ""])
def test_a_path_that_is_nearly_a_routes_is_an_unknown_one(client: FlaskClient, path: str) -> None:
    # An empty one is that of `GET http://name HTTP/1.1`.
    answer = client.get("/", headers={"Host": "1.2.3.4"}, environ_overrides={"PATH_INFO": path})
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    assert "Location" not in answer.headers and b"1.2.3.4" not in answer.data
