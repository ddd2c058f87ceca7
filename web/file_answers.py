"""Answering with a file of an image: ETags, ranges, and parts cut out as JPEGs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Response, request

from common import pictures
from common.errors import Overloaded
from common.geometry import Box
from web.operation import Answer
from web.services import services

JPEG = "image/jpeg"
CONDITIONS = ("If-None-Match", "Range")
"""The headers of a request that `answer` heeds."""
_CACHED = ("ETag", "Cache-Control")
_WHOLE = Answer(None, tuple(dict.fromkeys(pictures.FORMATS.values())), _CACHED)
_JPEGS = Answer(None, (JPEG,), _CACHED)
AS_POSTED = {200: _WHOLE, 206: _WHOLE, 304: Answer(None, ())}
AS_JPEG = {200: _JPEGS, 206: _JPEGS, 304: Answer(None, ())}
ELSEWHERE = {302: Answer(None, (), headers=("Location",))}
"""Where the service hands out signed URLs."""
_CUT_FORM = "2"
"""Part of the ETag of what is made here; to be changed with how it is made."""
_ONE_RANGE = re.compile(r"bytes=(\d+-\d*|-\d+)\Z")
CUTTING = 48
"""Parts that may wait for their turn to be cut out, or be at it: each holds a thread. Eight readers
of the page ask for so many at once; a picture that is refused stays empty there."""
_places = threading.BoundedSemaphore(CUTTING)
# Decoding holds a whole image; one at a time keeps the process small.
_decoding = threading.Lock()


@dataclass(frozen=True)
class Source:
    """A stored image: what names its content, its upright size, and what reads its bytes."""

    name: str
    width: int
    height: int
    read: Callable[[], bytes]


def cut(source: Source, box: Box | None, max_side: int | None, cache: str) -> Response:
    """Answer with a JPEG of an image or part of it, its longer side at most `max_side` pixels.

    Raises InvalidBox, or Overloaded where many wait for theirs.
    """
    size = (source.width, source.height)
    part = (box or Box(0, 0, *size)).within(*size)

    def make() -> bytes:
        most = services().settings.max_image_pixels
        with _place():
            content = source.read()
            with _decoding:
                piece = pictures.crop(pictures.decode(content, max_pixels=most), part)
        if max_side is not None:
            piece.thumbnail((max_side, max_side))
        return pictures.jpeg(piece)

    corners = "-".join(map(str, part.as_tuple()))
    return answer(make, JPEG, f"{source.name}-{corners}-{max_side}-{_CUT_FORM}", cache)


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise Overloaded("As many parts of images are being cut out as can be; try again shortly.")
    try:
        yield
    finally:
        _places.release()


def answer(make: Callable[[], bytes], media_type: str, etag: str, cache: str) -> Response:
    """Answer with a file, whole or the requested range, or with 304 to whoever has it.

    Raises werkzeug's RequestedRangeNotSatisfiable.
    """
    if known(etag):
        return finished(Response(status=304), etag, cache)
    return finished(Response(make(), mimetype=media_type), etag, cache)


def known(etag: str) -> bool:
    """Tell whether whoever asks has the file already."""
    return request.if_none_match.contains_weak(etag)


def finished(response: Response, etag: str, cache: str) -> Response:
    """Put what caches go by on an answer, whose length is known, and leave the requested range.

    Raises werkzeug's RequestedRangeNotSatisfiable.
    """
    if response.status_code != 304:
        # More than one range, or another unit, may be answered as if there were none.
        whole = not _ONE_RANGE.match(request.headers.get("Range", ""))
        response.headers["Accept-Ranges"] = "bytes"
        if not whole:
            response.set_etag(etag)
            size = response.content_length
            response.make_conditional(request, accept_ranges=True, complete_length=size)
    response.set_etag(etag)
    response.headers["Cache-Control"] = cache
    return response
