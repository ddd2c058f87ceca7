"""The pixels: what they show, and how browsers may keep them."""

from __future__ import annotations

import io
import threading

import pytest
from flask.testing import FlaskClient
from PIL import Image

from common.catalogue import ImageRecord
from common.images import image_key
from common.services import Services
from tests.web.conftest import plain
from web import file_answers

BASE = "/api/v1/images/image-1"
CONTENT = plain(5, size=(60, 40), kind="JPEG")
FOR_GOOD = ["file", "thumbnail", "crop?box=0,0,30,20", "file?box=0,0,30,20", "file?max_side=16"]


def _size(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content)).size


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("file", (60, 40)),
        ("file?box=10,10,40,30", (30, 20)),
        ("file?max_side=30", (30, 20)),
        ("file?box=0,0,60,20&max_side=30", (30, 10)),
        ("crop?box=0,0,40,40&max_side=20", (20, 20)),
        ("regions/0.jpg", (30, 20)),
        ("regions/0.jpg?max_side=16", (16, 11)),
    ],
)
def test_a_file_has_the_requested_size(
    client: FlaskClient, indexed: ImageRecord, path: str, size: tuple[int, int]
) -> None:
    answer = client.get(f"{BASE}/{path}")
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    assert _size(answer.data) == size


@pytest.mark.parametrize("path", FOR_GOOD)
def test_what_never_changes_is_kept_for_good(
    client: FlaskClient, indexed: ImageRecord, path: str
) -> None:
    answer = client.get(f"{BASE}/{path}")
    assert "immutable" in answer.headers["Cache-Control"]
    assert "private" in answer.headers["Cache-Control"]


def test_a_region_by_its_number_is_requested_again(
    client: FlaskClient, indexed: ImageRecord
) -> None:
    assert client.get(f"{BASE}/regions/0.jpg").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", [*FOR_GOOD, "regions/0.jpg"])
def test_who_has_it_is_answered_304(client: FlaskClient, indexed: ImageRecord, path: str) -> None:
    etag = client.get(f"{BASE}/{path}").headers["ETag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        again = client.get(f"{BASE}/{path}", headers={"If-None-Match": known})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    other = client.get(f"{BASE}/{path}", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_etags_differ_where_the_files_do(client: FlaskClient, indexed: ImageRecord) -> None:
    paths = [*FOR_GOOD, "crop?box=0,0,30,21", "crop?box=0,0,30,20&max_side=17", "file?max_side=17"]
    etags = {client.get(f"{BASE}/{path}").headers["ETag"] for path in paths}
    assert len(etags) == len(paths)


def test_304_needs_no_file_and_a_file_that_is_gone_is_404(
    client: FlaskClient, indexed: ImageRecord, services: Services
) -> None:
    etag = client.get(f"{BASE}/crop?box=0,0,30,20").headers["ETag"]
    services.images.delete(image_key("default", "image-1"))
    known = {"If-None-Match": etag}
    assert client.get(f"{BASE}/crop?box=0,0,30,20", headers=known).status_code == 304
    services.catalogue.remove("default", "image-1")
    assert client.get(f"{BASE}/crop?box=0,0,30,20", headers=known).status_code == 404


@pytest.mark.parametrize(
    ("requested", "start", "stop"),
    [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-20", -20, None)],
)
def test_a_range_of_a_file_is_answered_206(
    client: FlaskClient, indexed: ImageRecord, requested: str, start: int, stop: int | None
) -> None:
    answer = client.get(f"{BASE}/file", headers={"Range": requested})
    assert (answer.status_code, answer.data) == (206, CONTENT[start:stop])
    assert answer.headers["Content-Range"].endswith(f"/{len(CONTENT)}")


def test_a_range_beyond_the_end_is_416_in_the_one_shape(
    client: FlaskClient, indexed: ImageRecord
) -> None:
    answer = client.get(f"{BASE}/file", headers={"Range": "bytes=99999-"})
    assert answer.status_code == 416
    assert answer.json["error"]["code"] == "requested_range_not_satisfiable"
    assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("requested", ["bytes=0-1,4-5", "lines=0-1", "bytes=x"])
def test_a_range_that_is_not_understood_is_answered_whole(
    client: FlaskClient, indexed: ImageRecord, requested: str
) -> None:
    answer = client.get(f"{BASE}/file", headers={"Range": requested})
    assert (answer.status_code, answer.data) == (200, CONTENT)


def test_a_range_of_another_version_is_answered_whole(
    client: FlaskClient, indexed: ImageRecord
) -> None:
    headers = {"Range": "bytes=0-9", "If-Range": '"other"'}
    assert client.get(f"{BASE}/file", headers=headers).status_code == 200
    headers["If-Range"] = client.get(f"{BASE}/file").headers["ETag"]
    assert client.get(f"{BASE}/file", headers=headers).status_code == 206


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("file?box=0,0,61,40", 400),
        ("file?max_side=8", 400),
        ("file?box=1,2", 400),
        ("file?width=3", 400),
        ("regions/1.jpg", 404),
        ("regions/x.jpg", 404),
    ],
)
def test_what_is_not_there_is_refused(
    client: FlaskClient, indexed: ImageRecord, path: str, status: int
) -> None:
    answer = client.get(f"{BASE}/{path}")
    assert (answer.status_code, set(answer.json)) == (status, {"error"})


def test_only_so_many_wait_for_a_part_to_be_cut_out(
    client: FlaskClient, indexed: ImageRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_answers, "_places", threading.BoundedSemaphore(1))
    with file_answers._place():
        for path in ("crop?box=0,0,30,20", "file?max_side=16", "regions/0.jpg"):
            answer = client.get(f"{BASE}/{path}")
            assert (answer.status_code, answer.json["error"]["code"]) == (429, "overloaded")
            assert answer.headers["Retry-After"]
        assert client.get(f"{BASE}/file").status_code == 200
    assert client.get(f"{BASE}/crop?box=0,0,30,20").status_code == 200
