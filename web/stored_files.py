"""Answering with a file as it is stored: by the way to it, where the store signs URLs, else passed
through bit by bit."""

from __future__ import annotations

from flask import Response, request

from common.errors import NotFound, StoreUnavailable
from common.images import URL_LASTS_S, Bytes, ImageStore
from web.file_answers import finished, known
from web.services import services

PART = 256 * 1024
_KEPT = f"private, max-age={URL_LASTS_S // 2}"
"""How long a browser may keep the way to a file: until it has half of its time left."""
_BY_SCRIPT = ("cors", "same-origin")


def stored(key: str, media_type: str, etag: str, cache: str) -> Response:
    """Answer with the file of a key. Raises NotFound or StoreUnavailable.

    304 goes to whoever has it, before the store is asked.
    """
    if known(etag):
        return finished(Response(status=304), etag, cache)
    return redirected(key, media_type) or _passed(key, media_type, etag, cache)


def redirected(key: str, media_type: str) -> Response | None:
    """Answer with the way to a key's file, None where there is none, or none that would be taken.

    Scripts of a page get the bytes from here: a bucket need not let them in (CORS).
    """
    if request.headers.get("Sec-Fetch-Mode") in _BY_SCRIPT:
        return None
    url = services().images.signed_url(key, media_type)
    if url is None:
        return None
    response = Response(status=302, headers={"Location": url})
    response.headers["Cache-Control"] = _KEPT
    response.headers["Vary"] = "Sec-Fetch-Mode"
    return response


def _passed(key: str, media_type: str, etag: str, cache: str) -> Response:
    images = services().images
    size = images.size(key)
    if size is None:
        raise NotFound("The image store does not hold this file.")
    passing = _Passing(images, key, size)
    response = Response(passing, mimetype=media_type, direct_passthrough=True)
    response.content_length = size
    response = finished(response, etag, cache)
    passing.stop = response.content_range.stop or size
    return response


class _Passing:
    """The parts of a stored file up to `stop`, read when they are asked for."""

    def __init__(self, images: ImageStore, key: str, stop: int) -> None:
        self._images = images
        self._key = key
        self._at = 0
        self.stop = stop
        self._opened: Bytes | None = None

    def __iter__(self) -> _Passing:
        return self

    def __next__(self) -> bytes:
        if self._at >= self.stop:
            self.close()
            raise StopIteration
        if self._opened is None:
            self._opened = self._images.stream(self._key, self._at)
        part = self._opened.read(min(PART, self.stop - self._at))
        if not part:
            raise StoreUnavailable("The file ended before its time.")
        self._at += len(part)
        if self._at == self.stop:
            self.close()
        return part

    def seekable(self) -> bool:
        """Tell werkzeug, which answers ranges, that the parts may begin elsewhere."""
        return True

    def seek(self, first: int) -> None:
        """Begin at this byte."""
        self._at = first

    def tell(self) -> int:
        """Return where the parts begin."""
        return self._at

    def close(self) -> None:
        """Read no more."""
        if self._opened is not None:
            self._opened.close()
