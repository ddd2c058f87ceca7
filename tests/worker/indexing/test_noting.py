"""What files say of themselves, as metadata: on request, and never against the request."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import ExifTags, Image

from common.catalogue import ImageRecord
from common.contract.fields import Noted
from common.contract.orders import IndexOrder
from common.contract.requests import IndexFields
from common.jobs import Item, Kind
from tests.worker.conftest import World, noise, png
from worker.indexing.noting import noted

EVERYTHING = list(Noted)


def photo(kind: str = "JPEG", **changes: Any) -> bytes:
    """Return a photo as a phone notes it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = changes.get("make", "Apple")
    exif[ExifTags.Base.Model] = changes.get("model", "iPhone 15\0")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = changes.get(
        "date", "2024:05:31 14:03:07"
    )
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef] = "S"
    gps[ExifTags.GPS.GPSLatitude] = changes.get("latitude", (33.0, 51.0, 24.84))
    gps[ExifTags.GPS.GPSLongitudeRef] = "E"
    gps[ExifTags.GPS.GPSLongitude] = (151.0, 12.0, 55.0)
    buffer = io.BytesIO()
    noise(1).save(buffer, kind, exif=exif.tobytes())
    return buffer.getvalue()


def of(content: bytes, *paths: str) -> dict[str, Any]:
    record = ImageRecord("a", "default", "a.jpg", "image/jpeg", 9, 9, 9, paths=paths)
    return noted(EVERYTHING, record, lambda: content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_photo_says_when_with_what_and_where(kind: str) -> None:
    assert of(photo(kind)) == {
        "date": 20240531,
        "time": "14:03:07",
        "camera": "Apple iPhone 15",
        "latitude": -33.8569,
        "longitude": 151.215278,
    }


def test_a_make_that_the_model_repeats_is_said_once() -> None:
    assert of(photo(make="Canon", model="Canon EOS R5"))["camera"] == "Canon EOS R5"


@pytest.mark.parametrize(
    "changes",
    [{"date": "0000:00:00 00:00:00"}, {"date": "soon"}, {"latitude": (91.0, 0.0, 0.0)}],
)
def test_what_makes_no_sense_is_left_out(changes: dict[str, Any]) -> None:
    found = of(photo(**changes))
    assert "camera" in found
    assert ("date" in found) == ("date" not in changes)
    assert ("latitude" in found) == ("latitude" not in changes)


@pytest.mark.parametrize("content", [png(noise(1)), b"", b"no image", photo()[:300]])
def test_a_file_that_says_nothing_has_nothing(content: bytes) -> None:
    assert "latitude" not in of(content)


def test_every_folder_on_a_path_finds_the_photo() -> None:
    found = of(png(noise(1)), "trip/day 1/a.jpg", "best/a.jpg", "a.jpg")
    assert found == {"folder": ["trip", "trip/day 1", "best"]}


@pytest.mark.parametrize("said", ["date,place", '["date", "place"]', ["date", "place"]])
def test_a_form_says_it_in_any_of_three_ways(said: Any) -> None:
    assert IndexFields.model_validate({"note": said}).note == [Noted.DATE, Noted.PLACE]


def test_what_is_noted_is_filtered_by_and_the_request_goes_before(world: World) -> None:
    (name,) = world.post(photo(), metadata={"camera": "borrowed"})
    order = IndexOrder(note=EVERYTHING, metadata={"camera": "borrowed"})
    for job, status in (("first", "indexed"), ("again", "unchanged")):
        world.base.jobs.create(job, Kind.INDEX, [Item(0, "a", name)], order.details())
        world.index(job)
        assert world.statuses(job) == [status]
    assert world.base.catalogue.get("default", name).metadata["camera"] == "borrowed"
    assert world.regions(name, date=20240531)  # type: ignore[arg-type]
