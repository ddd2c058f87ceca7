"""`POST /images`: images in, a job out; bad input changes nothing."""

from __future__ import annotations

import io
import socket
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from common.redis import Client
from common.settings import Settings
from tests.clocks import kept_in
from tests.web.conftest import files, plain
from web.app import create_app
from web.archives import DAMAGED

URL = "/api/v1/images"
Tasks = Callable[[str], list[dict[str, Any]]]


def stored(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def items_of(client: FlaskClient, job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/v1/jobs/{job['job_id']}/items").json["items"]  # type: ignore[index]
    return found


def test_many_files_become_one_job_in_chunks(client: FlaskClient, tasks: Tasks) -> None:
    answer = client.post(URL, data=files(*[plain(n) for n in range(10)]))
    assert answer.status_code == 202
    job = answer.json
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['job_id']}"
    assert answer.headers["Retry-After"]
    assert (job["status"], job["progress"]["total"]) == ("queued", 10)
    assert [(t["first"], t["last"]) for t in tasks("index")] == [(0, 3), (4, 7), (8, 9)]


def test_a_message_carries_ids_and_no_pixels(client: FlaskClient, redis: Client) -> None:
    client.post(URL, data=files(plain(size=(900, 900))))
    assert len(redis.lindex("index", 0)) < 2000


def test_a_bad_file_is_a_failed_item_and_the_rest_goes_on(client: FlaskClient) -> None:
    job = client.post(URL, data=files(plain(1), b"no image", plain(2))).json
    items = items_of(client, job)
    assert [item["status"] for item in items] == ["queued", "failed", "queued"]
    assert items[1]["error"]["code"] == "invalid_image"
    assert job["progress"]["failed"] == 1


def test_equal_images_have_equal_ids_and_collections_keep_them_apart(client: FlaskClient) -> None:
    first = items_of(client, client.post(URL, data=files(plain(1))).json)
    again = items_of(client, client.post(URL, data=files(plain(1))).json)
    other = files(plain(1)) | {"collection": "other"}
    apart = items_of(client, client.post(URL, data=other).json)
    assert first[0]["image_id"] == again[0]["image_id"] != apart[0]["image_id"]


def archive(kind: str, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as packed:
            for name, content in members.items():
                packed.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_a_name_that_is_no_utf_8_is_made_readable(client: FlaskClient) -> None:
    packed = archive("", {"caf\udce9.png": plain(1), "caf\udce9.txt": b"hello"})
    job = client.post(URL, data=files(packed, names=("a.tar",))).json
    items = client.get(f"/api/v1/jobs/{job['job_id']}/items").json["items"]
    assert [item["name"] for item in items] == ["caf?.png", "caf?.txt"]
    assert client.get("/api/v1/images").status_code == 200


@pytest.mark.parametrize("kind", ["zip", "", "gz", "bz2", "xz"])
def test_an_archive_is_unpacked(client: FlaskClient, kind: str) -> None:
    members = {
        "holiday/a.png": plain(1),
        "holiday/notes.txt": b"hello",
        "../../b.png": plain(2),
        "__MACOSX/holiday/._a.png": b"junk",
        ".DS_Store": b"junk",
        "holiday/Thumbs.db": b"junk",
    }
    job = client.post(URL, data=files(archive(kind, members))).json
    items = items_of(client, job)
    assert [(i["name"], i["status"]) for i in items] == [
        ("holiday/a.png", "queued"),
        ("holiday/notes.txt", "failed"),
        ("b.png", "queued"),
    ]


def test_an_archive_without_an_image_is_refused(client: FlaskClient, redis: Client) -> None:
    for members in ({}, {"__MACOSX/._a.png": b"junk"}):
        refused(client, {"data": files(archive("gz", members))}, 400, "bad_request")
    assert kept_in(redis) == []


def test_a_damaged_archive_is_a_failed_item(client: FlaskClient) -> None:
    packed = archive("zip", {"a.png": plain(1)})
    job = client.post(URL, data=files(packed[: len(packed) // 2], plain(2))).json
    items = items_of(client, job)
    assert [item["status"] for item in items] == ["failed", "queued"]
    assert items[0]["error"]["message"] == DAMAGED, "and nothing that a library said"


@pytest.mark.parametrize(
    ("first", "name"), [("[Content_Types].xml", "an Office document"), ("mimetype", "a document")]
)
def test_a_document_that_is_a_zip_is_called_what_it_is(
    client: FlaskClient, first: str, name: str
) -> None:
    document = archive("zip", {first: b"<x/>", "word/media/image1.png": plain(1)})
    job = client.post(URL, data=files(document, plain(2))).json
    document_item, picture = items_of(client, job)
    said = document_item["error"]["message"]
    assert said == f"This is {name}, which is not read: save its pages as images."
    assert picture["status"] == "queued"


def refused(client: FlaskClient, body: Any, status: int, code: str) -> dict[str, Any]:
    answer = client.post(URL, **body)
    assert answer.status_code == status, answer.json
    error: dict[str, Any] = answer.json["error"]
    assert error["code"] == code
    assert error["message"]
    return error


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "bad_request"),
        ({"data": {"files": (io.BytesIO(b"text"), "a.txt")}}, 415, "invalid_image"),
        ({"data": {"files": (io.BytesIO(b""), "a.png")}}, 415, "invalid_image"),
        ({"data": {"photo": (io.BytesIO(plain()), "a.png")}}, 400, "bad_request"),
        ({"json": {"urls": []}}, 400, "bad_request"),
        ({"json": {"urls": ["ftp://example.org/a.jpg"]}}, 400, "invalid_url"),
        ({"json": {"urls": ["http://127.0.0.1:6379/"]}}, 400, "invalid_url"),
        ({"json": {"urls": ["http://8.8.8.8/a"], "colour": "red"}}, 400, "bad_request"),
        ({"json": [1, 2]}, 400, "bad_request"),
        ({"data": "{", "content_type": "application/json"}, 400, "bad_request"),
    ],
)
def test_bad_input_is_a_4xx_and_changes_nothing(
    client: FlaskClient, redis: Client, settings: Settings, body: Any, status: int, code: str
) -> None:
    refused(client, body, status, code)
    assert kept_in(redis) == []
    assert stored(settings.data_dir / "images") == []


def test_a_bad_url_among_others_is_a_failed_item(
    client: FlaskClient,
) -> None:
    good = ["http://8.8.8.8/a.jpg", "http://8.8.8.8/b.jpg"]
    bad = ["http://[x/a.tar", "ftp://8.8.8.8/a", "http://127.0.0.1/1", "http://127.0.0.1/2", ""]
    bad += ["s3://nobodys/a.jpg", "http://me:pass@8.8.8.8/a.jpg"]
    answer = client.post(URL, json={"urls": [good[0], *bad, good[1]]})
    assert answer.status_code == 202
    items = client.get(f"{answer.headers['Location']}/items").json["items"]
    assert [item["status"] for item in items] == ["queued", *["failed"] * len(bad), "queued"]
    assert {item["error"]["code"] for item in items[1:-1]} == {"invalid_url"}
    assert "not public" in items[4]["error"]["message"]
    error = refused(client, {"json": {"urls": bad}}, 400, "invalid_url")
    assert [item["name"] for item in error["items"]] == bad


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("confidence_threshold", "1.5"),
        ("confidence_threshold", "nan"),
        ("batch_size", "0"),
        ("batch_size", "many"),
        ("local_features", "-1"),
        ("collection", "../etc"),
        ("metadata", "{"),
        ("metadata", "[1]"),
        ("metadata", '{"a.b": 1}'),
        ("metadata", '{"a": {"b": 1}}'),
        ("metadata", '{"a": 1e999}'),
        ("metadata", '{"a": NaN}'),
        ("colour", "red"),
    ],
)
def test_a_bad_field_is_named(client: FlaskClient, redis: Client, field: str, value: str) -> None:
    error = refused(client, {"data": files(plain()) | {field: value}}, 400, "bad_request")
    assert error["fields"][0]["field"].startswith(field)
    assert kept_in(redis) == []


def test_options_travel_with_the_job(client: FlaskClient, app: Any) -> None:
    data = files(plain()) | {"confidence_threshold": "0.4", "batch_size": "2"}
    data |= {"local_features": "0"}
    job = client.post(URL, data=data | {"metadata": '{"shop": "Basel", "tags": ["a"]}'}).json
    details = app.extensions["needle"].jobs.get(job["job_id"]).details
    assert (details["confidence_threshold"], details["batch_size"]) == (0.4, 2)
    assert details["local_features"] == 0
    assert details["metadata"] == {"shop": "Basel", "tags": ["a"]}


def test_too_many_images_leave_nothing_behind(
    client: FlaskClient, redis: Client, settings: Settings
) -> None:
    packed = archive("zip", {f"{n}.png": plain(n) for n in range(60)})
    refused(client, {"data": files(packed)}, 413, "too_large")
    assert stored(settings.data_dir / "images") == []
    assert [key for key in kept_in(redis) if "job" in key or key == "index"] == []


def test_a_file_or_an_image_that_is_too_large_says_so(client: FlaskClient) -> None:
    heavy = {"data": files(plain() + b"0" * 200_000)}
    assert "more than 98 kB." in refused(client, heavy, 413, "image_too_large")["message"]
    wide = {"data": files(plain(size=(2000, 2000)))}
    too_large = refused(client, wide, 413, "image_too_large")["message"]
    assert "has 4.0 megapixels (2000 x 2000); at most" in too_large


def test_a_full_queue_is_a_429_with_retry_after(client: FlaskClient, redis: Client) -> None:
    redis.rpush("index", *range(20))
    answer = client.post(URL, data=files(plain()))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"]
    assert redis.keys("needle:*") == []


def test_a_collection_of_another_encoder_is_a_409(client: FlaskClient, app: Any) -> None:
    services = app.extensions["needle"]
    services.catalogue.bind("default", encoder="old", dim=4)
    services.redis.hset("needle:models", "index", '{"encoder": "new", "has_text": false}')
    error = refused(client, {"data": files(plain())}, 409, "encoder_mismatch")
    assert "old" in error["message"] and "new" in error["message"]


def test_without_redis_it_is_a_503_within_two_seconds_and_nothing_stays(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path, redis_url="redis://127.0.0.1:1/0"))
    started = time.monotonic()
    answer = app.test_client().post(URL, data=files(plain()))
    assert answer.status_code == 503
    assert answer.json["error"]["code"] == "broker_unavailable"
    assert answer.headers["Retry-After"]
    assert time.monotonic() - started < 2
    assert stored(tmp_path) == []


def test_a_redis_that_hangs_is_a_503_within_two_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        app = create_app(Settings(data_dir=tmp_path, redis_url=url))
        started = time.monotonic()
        answer = app.test_client().post(URL, data=files(plain()))
    assert answer.status_code == 503
    assert time.monotonic() - started < 2
    assert stored(tmp_path) == []


def test_a_broker_that_fails_between_record_and_task_leaves_no_half_job(
    client: FlaskClient, redis: Client, settings: Settings
) -> None:
    redis.set("index", "not a list")  # every LPUSH onto the queue now fails
    answer = client.post(URL, data=files(plain()))
    assert answer.status_code == 503
    assert redis.keys("needle:job*") == []
    assert redis.hgetall("needle:images:default") == {}
    assert stored(settings.data_dir / "images") == []
