"""Keys, scopes, rates, and the line that says who changed what."""

from __future__ import annotations

import hmac
import io
import json
import logging
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.beacons import LIT, beacon_key
from common.catalogue import IndexState
from common.errors import NeedleError, NotFound
from common.keys import FILE, Keys, Scope
from common.redis import Client
from common.services import Services
from common.settings import Settings
from tests.conftest import REPO
from tests.web.conftest import files, plain
from web import keys as command
from web.access import check_start
from web.app import create_app

IMAGES, SEARCH, COLLECTIONS = "/api/v1/images", "/api/v1/search", "/api/v1/collections"


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
def keys(settings: Settings) -> Keys:
    """Return the keys of the application's data folder."""
    return Keys(settings.data_dir)


def test_without_keys_this_machine_needs_none(client: FlaskClient) -> None:
    assert client.get(IMAGES).status_code == 200


def test_each_scope_may_what_it_says(client: FlaskClient, keys: Keys) -> None:
    calls: list[tuple[Scope, str, str, dict[str, Any]]] = [
        (Scope.READ, "GET", IMAGES, {}),
        (Scope.READ, "POST", SEARCH, {"json": {}}),
        (Scope.WRITE, "POST", IMAGES, {"json": {}}),
        (Scope.WRITE, "DELETE", f"{IMAGES}/none", {}),
        (Scope.ADMIN, "POST", COLLECTIONS, {"json": {}}),
        (Scope.ADMIN, "DELETE", f"{COLLECTIONS}/none", {}),
    ]
    texts = {scope: keys.make(f"a {scope}", scope)[1] for scope in Scope}
    for needed, method, path, body in calls:
        for scope, text in texts.items():
            answer = client.open(path, method=method, headers=bearer(text), **body)
            refused = answer.status_code == 403
            assert refused is not scope.covers(needed), (scope, method, path)
        for headers in ({}, bearer("needle_00000000_wrong"), bearer(texts[Scope.ADMIN] + "x")):
            answer = client.open(path, method=method, headers=headers, **body)
            assert (answer.status_code, answer.json["error"]["code"]) == (401, "key_needed")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_who_only_reads_cancels_searches_alone(client: FlaskClient, keys: Keys) -> None:
    _, writes = keys.make("writes", Scope.WRITE)
    _, reads = keys.make("reads", Scope.READ)
    for path, status in ((IMAGES, 403), (f"{SEARCH}es", 200)):
        job = client.post(path, data=files(plain()), headers=bearer(writes)).json["job_id"]
        answer = client.delete(f"/api/v1/jobs/{job}", headers=bearer(reads))
        assert answer.status_code == status, answer.json
        assert client.delete(f"/api/v1/jobs/{job}").status_code == 401
        answer = client.delete(f"/api/v1/jobs/{job}", headers=bearer(writes))
        assert answer.json["status"] == "cancelled"
    one = {"file": (io.BytesIO(plain()), "q.png"), "wait": "0"}
    job = client.post(SEARCH, data=one, headers=bearer(reads)).json["job_id"]
    answer = client.delete(f"/api/v1/jobs/{job}", headers=bearer(reads))
    assert answer.json["status"] == "cancelled"


def test_health_and_the_page_need_no_key(client: FlaskClient, keys: Keys) -> None:
    keys.make("a", Scope.READ)
    for path in ("/livez", "/readyz", "/", "/docs", "/openapi.json", "/static/app.js"):
        with client.get(path) as answer:
            assert answer.status_code in (200, 503), path


def test_health_names_collections_to_who_may_read_alone(
    client: FlaskClient, keys: Keys, services: Services
) -> None:
    services.catalogue.tell_index("secret-shop", IndexState(3, False, True))
    services.catalogue.tell_aside(["vectors/secret-shop.unreadable-1"])
    assert client.get("/readyz").text.count("secret-shop") == 2, "there are no keys"
    _, text = keys.make("a", Scope.READ)
    for headers in ({}, bearer("needle_00000000_wrong"), bearer(text + "x")):
        answer = client.get("/readyz", headers=headers)
        assert "secret-shop" not in answer.text
        assert (answer.json["bulk"], answer.json["bulk_count"]) == ([], 1)
        assert answer.json["problems"][0]["message"].startswith("1 parts of the index")
    answer = client.get("/readyz", headers=bearer(text))
    assert answer.json["bulk"] == ["secret-shop"] and answer.text.count("secret-shop") == 2


def test_a_key_that_is_revoked_is_good_for_nothing_at_once(client: FlaskClient, keys: Keys) -> None:
    keys.make("other", Scope.READ)
    _, text = keys.make("mine", Scope.READ)
    assert client.get(IMAGES, headers=bearer(text)).status_code == 200
    keys.revoke("mine")
    assert client.get(IMAGES, headers=bearer(text)).status_code == 401
    with pytest.raises(NotFound):
        keys.revoke("mine")


def test_the_file_holds_no_key_and_is_its_owners_alone(settings: Settings, keys: Keys) -> None:
    _, text = keys.make("mine", Scope.READ)
    path = settings.data_dir / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert text.split("_", 2)[2] not in path.read_text()


def test_a_key_takes_as_long_to_compare_whether_it_is_known_or_not(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []
    same = hmac.compare_digest

    def noted(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return same(one, other)

    monkeypatch.setattr("common.keys.hmac.compare_digest", noted)
    _, text = keys.make("mine", Scope.READ)
    found = [keys.find(each) for each in (text, text + "x", "needle_00000000_wrong", "")]
    assert [key is not None for key in found] == [True, False, False, False]
    assert compared == [(64, 64)] * 4


def test_the_page_keeps_its_key_where_no_script_reads_it(client: FlaskClient, keys: Keys) -> None:
    _, text = keys.make("page", Scope.WRITE)
    assert client.post("/session", data={"key": "wrong"}).status_code == 401
    answer = client.post("/session", data={"key": text})
    cookie = answer.headers["Set-Cookie"]
    assert answer.status_code == 204
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert client.get(IMAGES).status_code == 200
    assert client.post(IMAGES, data=files(plain())).status_code == 202
    client.delete("/session")
    assert client.get(IMAGES).status_code == 401


def test_beyond_this_machine_the_service_starts_with_a_key_only(
    settings: Settings, keys: Keys, redis: Client
) -> None:
    open_to_all = settings.model_copy(update={"host": "0.0.0.0"})
    with pytest.raises(NeedleError, match="needle keys make"):
        check_start(open_to_all)
    check_start(open_to_all.model_copy(update={"keys": "off"}))
    check_start(settings)
    keys.make("a", Scope.ADMIN)
    check_start(open_to_all)
    keys.revoke("a")
    client = create_app(open_to_all).test_client()
    assert client.get(IMAGES).status_code == 401, "the last key gone, nobody comes in"


def test_the_server_that_is_refused_says_how_to_make_a_key(tmp_path: Path) -> None:
    env = {"NEEDLE_HOST": "0.0.0.0", "NEEDLE_DATA_DIR": str(tmp_path), "PATH": ""}
    run = [sys.executable, "-m", "web"]
    refused = subprocess.run(run, cwd=REPO, env=env, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert "needle keys make" in refused.stderr


def test_a_bucket_that_nobody_can_be_asked_for_ends_the_start_with_a_sentence(
    tmp_path: Path,
) -> None:
    env = {
        "NEEDLE_IMAGE_STORE": "s3://needle/x", "NEEDLE_DATA_DIR": str(tmp_path), "PATH": "",
        "AWS_PROFILE": "no-such-profile", "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }  # fmt: skip
    run = [sys.executable, "-m", "web"]
    refused = subprocess.run(run, cwd=REPO, env=env, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "ProfileNotFound" in refused.stderr


def test_keys_are_made_listed_and_revoked_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEEDLE_DATA_DIR", str(tmp_path))
    assert command.main(["make", "laptop", "--scope", "read"]) == 0
    text = capsys.readouterr().out.strip()
    found = Keys(tmp_path).find(text)
    assert found is not None and (found.name, found.scope) == ("laptop", Scope.READ)
    command.main(["list"])
    assert "laptop" in (listed := capsys.readouterr().out) and text not in listed
    assert command.main(["revoke", "laptop"]) == 0
    assert "last one" in capsys.readouterr().err, "the service is open now"
    monkeypatch.setenv("NEEDLE_KEYS", "required")
    assert command.main(["make", "other"]) == command.main(["revoke", "other"]) == 0
    assert "last one" not in capsys.readouterr().err
    assert command.main(["revoke", "laptop"]) == 1
    assert Keys(tmp_path).find(text) is None


def test_each_change_is_noted(
    client: FlaskClient, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    key, text = keys.make("laptop", Scope.WRITE)
    with caplog.at_level(logging.INFO, "needle.audit"):
        job = client.post(IMAGES, data=files(plain()), headers=bearer(text)).json["job_id"]
        client.get(IMAGES, headers=bearer(text))
        client.delete(f"{IMAGES}/x")
    said = [record.getMessage() for record in caplog.records if record.name == "needle.audit"]
    assert len(said) == 2
    assert f"laptop ({key.key_id}) from 127.0.0.1: POST {IMAGES} -> 202" in said[0]
    assert job in said[0] and text not in said[0]
    assert "somebody without a key" in said[1] and "-> 401" in said[1]


def test_a_search_that_would_wait_too_long_is_refused_at_once(
    client: FlaskClient, redis: Client, settings: Settings
) -> None:
    from common.pace import Pace

    pace = Pace(redis)
    query = {"json": {"text": "a", "wait": 0}}
    said: dict[str, Any] = {
        "role": "search",
        "models": {"name": "m", "encoder": "e", "has_text": True},
    }
    # The second is of a version that did not say how many searches it runs at once: it was 4.
    new = {**said, "models": {**said["models"], "searches_at_once": 3}}
    for pid, beacon in enumerate((new, said, {**said, "role": "index"})):
        redis.set(beacon_key("any", "host", pid), json.dumps(beacon))
        redis.zadd(LIT, {beacon_key("any", "host", pid): time.time()})
    pace.note(2.0)
    assert client.post(SEARCH, **query).status_code == 202, "nobody waits"
    for _ in range(settings.max_queued_tasks - 4):
        redis.rpush("search", "{}")
    pace_s = settings.search_wait_s * 7 / redis.llen("search")
    redis.delete("needle:pace:search")
    pace.note(pace_s * 0.9)
    assert client.post(SEARCH, **query).status_code == 202
    redis.delete("needle:pace:search")
    pace.note(pace_s * 1.5)
    answer = client.post(SEARCH, **query)
    assert (answer.status_code, answer.json["error"]["code"]) == (429, "overloaded")
    assert int(answer.headers["Retry-After"]) >= 1
