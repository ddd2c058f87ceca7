"""Files that lie in a bucket: the way there for whoever can take it, the bytes for the rest."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from common.catalogue import ImageRecord
from common.images import URL_LASTS_S, FileImageStore, image_key
from common.services import Services
from web.page import POLICY

BASE = "/api/v1/images/image-1"


@pytest.fixture(autouse=True)
def signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the store sign URLs."""

    def signed(_: FileImageStore, key: str, media_type: str) -> str:
        return f"https://bucket.example/{key}?as={media_type}&signature=s"

    monkeypatch.setattr(FileImageStore, "signed_url", signed)


@pytest.mark.parametrize(("path", "end"), [("file", "photo"), ("thumbnail", "thumbnail.jpg")])
def test_a_stored_file_is_answered_with_the_way_to_it(
    client: FlaskClient, indexed: ImageRecord, path: str, end: str
) -> None:
    answer = client.get(f"{BASE}/{path}")
    assert (answer.status_code, answer.data) == (302, b"")
    place = f"https://bucket.example/images/default/im/image-1/{end}"
    assert answer.headers["Location"] == f"{place}?as=image/jpeg&signature=s"
    assert answer.headers["Vary"] == "Sec-Fetch-Mode"
    kept = int(answer.headers["Cache-Control"].removeprefix("private, max-age="))
    assert kept < URL_LASTS_S  # or a browser would go where nobody lets it in any more


@pytest.mark.parametrize(
    "path", ["crop?box=0,0,30,20", "file?box=0,0,30,20", "file?max_side=16", "regions/0.jpg"]
)
def test_what_is_made_of_a_file_is_made_here(
    client: FlaskClient, indexed: ImageRecord, path: str
) -> None:
    assert client.get(f"{BASE}/{path}").status_code == 200


def test_who_has_the_file_is_sent_nowhere(
    client: FlaskClient, indexed: ImageRecord, services: Services
) -> None:
    services.images.delete(image_key("default", "image-1"))
    answer = client.get(f"{BASE}/file", headers={"If-None-Match": '"image-1"'})
    assert answer.status_code == 304


@pytest.mark.parametrize("path", ["file", "thumbnail"])
def test_a_script_of_the_page_gets_the_bytes_from_here(
    client: FlaskClient, indexed: ImageRecord, path: str
) -> None:
    answer = client.get(f"{BASE}/{path}", headers={"Sec-Fetch-Mode": "cors"})
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    shown = client.get(f"{BASE}/{path}", headers={"Sec-Fetch-Mode": "no-cors"})
    assert shown.status_code == 302


def test_the_page_shows_images_of_the_bucket_and_of_no_other_place(client: FlaskClient) -> None:
    with client.get("/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "img-src 'self' https://bucket.example blob: data:" in policy
    assert policy.replace(" https://bucket.example", "") == POLICY
