"""The files of images, and drawings of what was found: steps, as in `needle.operations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from needle import calls, operations
from needle.exchange import Service
from needle.results import Match
from needle.steps import Call, Steps

if TYPE_CHECKING:
    from PIL.Image import Image as Drawing

DRAWABLE = frozenset(f"image/{kind}" for kind in ("jpeg", "png", "webp", "gif", "bmp"))
"""The types of files that Pillow shows as the service does."""


def draw(service: Service, match: Match, *, hits: int | None = None) -> Steps[Drawing]:
    """Fetch a match's image and draw its hits, the best `hits` of them: see `Match.draw`."""
    collection = match.origin.collection
    content = yield from file(service, match.image_id, collection=collection, drawable=True)
    return match.draw(content, hits=hits)


def file(
    service: Service, image_id: str, *, collection: str | None = None, drawable: bool = False
) -> Steps[bytes]:
    """Return the bytes of an image as it was sent.

    With `drawable`, what Pillow alone may not read (HEIC, raw) or shows otherwise than the service
    does (TIFF) comes as a JPEG of the upright image.
    """
    answer = yield from service.send(calls.image("GET", image_id, collection, "/file"))
    if not drawable or answer.headers.get("content-type", "") in DRAWABLE:
        return answer.content
    shown = yield from operations.image(service, image_id, collection=collection)
    whole = calls.given(collection=collection, box=f"0,0,{shown.width},{shown.height}")
    path = calls.image("GET", image_id, None, "/file").path
    return (yield from service.send(Call("GET", path, params=whole))).content
