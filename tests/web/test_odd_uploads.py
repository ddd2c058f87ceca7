"""What people post as it comes: scans of many pages, archives of any country, litter, odd names."""

from __future__ import annotations

import io
import struct
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.web.conftest import files, plain

URL = "/api/v1/images"


def items(client: FlaskClient, *contents: bytes, names: tuple[str, ...] = ()) -> list[Any]:
    """Post files and return the items of their job."""
    answer = client.post(URL, data=files(*contents, names=names))
    assert answer.status_code == 202, answer.json
    found = client.get(f"/api/v1/jobs/{answer.json['job_id']}/items").json
    assert found is not None
    return list(found["items"])


def scan(*colours: str) -> bytes:
    """Return a TIFF file with a page of each colour."""
    first, *rest = [Image.new("RGB", (60, 40), colour) for colour in colours]
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=rest, compression="tiff_deflate")
    return buffer.getvalue()


def zipped(members: dict[bytes, bytes], *, marked: bool = False) -> bytes:
    """Return a zip archive whose names are these bytes, marked as UTF-8 or not at all."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, content in enumerate(members.values()):
            archive.writestr(f"{number:04}" + "x" * 60, content)
    packed = buffer.getvalue()
    for number, name in enumerate(members):
        old = f"{number:04}".encode() + b"x" * 60
        # Names are as long as ever: what is left of them is folders that come to nothing.
        packed = packed.replace(
            old, b"./" * ((64 - len(name)) // 2) + b"/" * (len(name) % 2) + name
        )
    if marked:
        for head, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = packed.find(head)
            while at >= 0:
                flags = struct.unpack_from("<H", packed, at + place)[0] | 0x800
                packed = packed[: at + place] + struct.pack("<H", flags) + packed[at + place + 2 :]
                at = packed.find(head, at + 4)
    return packed


def test_every_page_of_a_scan_is_an_image_of_its_own(client: FlaskClient) -> None:
    found = items(client, scan("red", "green", "blue"), plain(1), names=("in/a.tif", "b.png"))
    assert [item["name"] for item in found] == ["in/a.tif", "in/a.tif#2", "in/a.tif#3", "b.png"]
    assert len({item["image_id"] for item in found}) == 4
    page = client.get(f"{URL}/{found[1]['image_id']}/file")
    assert Image.open(io.BytesIO(page.data)).convert("RGB").getpixel((0, 0)) == (0, 128, 0)


def test_pages_count_as_images(client: FlaskClient) -> None:
    answer = client.post(URL, data=files(scan(*["red"] * 51)))
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")  # type: ignore[index]


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (("アルバム/表示ソース.jpg", "アルバム/富士山.jpg"), "cp932"),
        (("фото/Москва зимой.jpg", "фото/Дача.jpg"), "cp866"),
        (("Fotos/Grüße aus Köln.jpg", "Fotos/Äpfel.jpg"), "cp850"),
        (("相簿/台北的早晨.jpg", "相簿/照片集.jpg"), "big5"),
        (("Fotos/Grüße.jpg", "写真/富士山.jpg"), "utf-8"),
        (("plain/a.jpg", "plain/b.jpg"), "ascii"),
    ],
)
def test_an_archives_names_are_read_though_it_does_not_say_how(
    client: FlaskClient, names: tuple[str, ...], encoding: str
) -> None:
    packed = zipped({name.encode(encoding): plain(n) for n, name in enumerate(names)})
    assert [item["name"] for item in items(client, packed)] == list(names)


def test_a_name_that_is_marked_is_as_it_says(client: FlaskClient) -> None:
    packed = zipped({"ど/表.jpg".encode(): plain(1), b"b.jpg": plain(2)}, marked=True)
    assert [item["name"] for item in items(client, packed)] == ["ど/表.jpg", "b.jpg"]


def test_names_are_composed(client: FlaskClient) -> None:
    apart = unicodedata.normalize("NFD", "Fotos/Café.png")
    assert apart != "Fotos/Café.png"
    assert items(client, plain(1), names=(apart,))[0]["name"] == "Fotos/Café.png"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/a.png", "etc/a.png"),
        ("C:\\Users\\me\\a.png", "Users/me/a.png"),
        ("/srv//photos/./a.png", "srv/photos/a.png"),
        ("a\x1b[31m.png", "a?[31m.png"),
        ("x" * 5000 + "/a.png", "x" * 1018 + "/a.png"),
    ],
)
def test_a_path_is_made_harmless(client: FlaskClient, given: str, kept: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(given, plain(1))
    assert items(client, packed.getvalue())[0]["name"] == kept


def test_what_file_managers_leave_behind_is_no_failure(client: FlaskClient) -> None:
    names = ("album/a.png", "album/Thumbs.db", "album/.DS_Store", "album/._a.png", "desktop.ini")
    found = items(client, plain(1), *[b"junk"] * 4, names=names)
    assert [item["name"] for item in found] == ["album/a.png"]


def test_what_is_not_read_says_what_it_is(client: FlaskClient) -> None:
    found = items(client, plain(1), b"%PDF-1.7" + bytes(99), names=("a.png", "b.pdf"))
    assert found[1]["status"] == "failed"
    assert "PDF" in found[1]["error"]["message"]


def test_the_collected_archive_has_its_names(client: FlaskClient, shared: Path) -> None:
    packed = (shared / "data/cases/zip-shift-jis/sjis.zip").read_bytes()
    found = [item["name"] for item in items(client, packed)]
    assert found == ["アルバム/表示ソース.jpg", "アルバム/富士山.jpg"]


def test_the_collected_photos_of_one_name_are_told_apart(client: FlaskClient, shared: Path) -> None:
    packed = (shared / "data/cases/same-name-in-two-folders/album.zip").read_bytes()
    names = [item["name"] for item in items(client, packed)]
    assert len(set(names)) == 2 and "Zurich/IMG_0001.jpg" in names
