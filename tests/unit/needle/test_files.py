"""The files of images: as they were sent, or as something that can be drawn on."""

from __future__ import annotations

import io

import httpx
from PIL import Image

from tests.unit.needle.fake_needle import FakeService


def test_what_this_machine_may_not_read_comes_as_a_jpeg_of_the_service() -> None:
    service = FakeService()
    service._new_job("index", [service._item(0, "a.heic", b"a phone's photo")])
    service.finish("index-0")
    (name,) = service.images
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), "navy").save(buffer, "JPEG")

    def answered(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/file"):
            return None
        if request.url.params.get("box") == "0,0,400,300":
            return httpx.Response(
                200, content=buffer.getvalue(), headers={"content-type": "image/jpeg"}
            )
        return httpx.Response(200, content=b"heic", headers={"content-type": "image/heif"})

    service.before = answered
    with service.needle() as needle:
        assert needle.file(name) == b"heic", "as it was sent"
        assert needle.file(name, drawable=True) == buffer.getvalue()
        assert needle.search(b"query").matches[0].draw().size == (400, 300)
