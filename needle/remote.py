"""Tar archives that are not on this machine: streamed by their URL, listed in a bucket."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from time import sleep
from urllib.parse import unquote, urlsplit

import httpx

from needle import archives
from needle.archives import OnLeftOut
from needle.errors import NeedleApiError
from needle.listings import StoredObject
from needle.uploads import Upload

TIMEOUT_S = 30.0
PAUSES_S = (1.0, 2.0, 4.0)
"""Before a download is taken up again, as long as no byte comes."""
PARTIAL, BUSY = 206, frozenset({429, 503})
NOT_READ = frozenset({400, 404, 422})
"""How the service answers where a bucket may not be named, a key is odd, or an archive is none;
other faults are its own."""
PACKED = (*(ending for ending in archives.ENDINGS if ending != ".tar"), ".tar.zst")
UNPACK = (
    "It is compressed: no image in it can be read by itself. Unpack it in the bucket; or, of a "
    "tar archive (.tar.gz, .tar.bz2, .tar.xz), name a signed URL (https://...), which is streamed."
)

OnFault = Callable[[str, str], None]
"""(name, reason) of what cannot be read."""


def is_tar(url: str) -> bool:
    """Tell by its path whether a URL names a tar archive; it may be compressed."""
    try:
        name = unquote(urlsplit(url).path).lower()
    except ValueError:  # no URL, as `http://[x/a.tar`
        return False
    return name.endswith(archives.ENDINGS) and not name.endswith(archives.ZIP)


def members(url: str, on_left_out: OnLeftOut | None = None) -> Iterator[Upload]:
    """Yield the images of an archive as they come over the network; nothing is kept of it.

    A connection that breaks is taken up where it was. Raises OSError.
    """
    with http_client() as client, _Download(client, url) as file:
        yield from archives.tar_members(file, url, on_left_out)


def http_client() -> httpx.Client:
    """Return what downloads archives."""
    headers = {"User-Agent": "needle", "Accept-Encoding": "identity"}
    return httpx.Client(timeout=TIMEOUT_S, follow_redirects=True, headers=headers)


def in_buckets(
    prefixes: Iterable[str],
    listed: Callable[[str], Iterable[StoredObject]],
    on_fault: OnFault,
) -> Iterator[StoredObject]:
    """Yield what is under prefixes of buckets, and of each tar archive there what is in it.

    `listed` is the service's list. A prefix or an archive that cannot be read is told, and the rest
    goes on.
    """
    for prefix in prefixes:
        for each in _listed(listed, prefix, prefix, on_fault):
            if each.url.lower().endswith(PACKED):
                on_fault(each.url, UNPACK)
            elif each.url.lower().endswith(".tar"):
                yield from _inside(each, listed, on_fault)
            else:
                yield each


def _inside(
    archive: StoredObject, listed: Callable[[str], Iterable[StoredObject]], on_fault: OnFault
) -> Iterator[StoredObject]:
    """Yield what is in a tar archive, itself where that is nothing: an older service lists none."""
    faults: list[tuple[str, str]] = []
    members = _listed(listed, f"{archive.url}/", archive.url, lambda *fault: faults.append(fault))
    first = next(members, None)
    if first is not None:
        yield first
        yield from members
    elif not faults:
        yield archive
    for fault in faults:
        on_fault(*fault)


def _listed(
    listed: Callable[[str], Iterable[StoredObject]], prefix: str, name: str, on_fault: OnFault
) -> Iterator[StoredObject]:
    """Yield a list; what is wrong with its prefix is told under a name."""
    try:
        yield from listed(prefix)
    except NeedleApiError as exc:
        if exc.status not in NOT_READ:
            raise
        on_fault(name, exc.message)


class _Busy(Exception):
    """The server would answer later."""


class _Download(io.RawIOBase):
    """The bytes behind a URL, from first to last."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client, self._url = client, url
        self._answer: httpx.Response | None = None
        self._parts: Iterator[bytes] = iter(())
        self._rest = b""
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Hang up."""
        self._hang_up()
        super().close()

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill a buffer with what has come. Raises OSError."""
        if not self._rest:
            self._rest = self._next()
        part = self._rest[: len(buffer)]
        self._rest = self._rest[len(part) :]
        buffer[: len(part)] = part
        return len(part)

    def _next(self) -> bytes:
        """Return the next bytes, none at the end."""
        for pause in (*PAUSES_S, None):
            try:
                if self._answer is None:
                    self._begin()
                part = next(self._parts, b"")
                self._at += len(part)
                return part
            except (httpx.TransportError, _Busy) as exc:
                self._hang_up()
                if pause is None:
                    why = str(exc) or type(exc).__name__
                    raise OSError(f"It cannot be downloaded: {why}") from exc
                sleep(pause)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
                raise OSError(f"It cannot be downloaded: {exc}") from exc
        return b""

    def _begin(self) -> None:
        """Ask for what has not come yet."""
        asked = {"Range": f"bytes={self._at}-"} if self._at else {}
        request = self._client.build_request("GET", self._url, headers=asked)
        self._answer = answer = self._client.send(request, stream=True)
        if answer.status_code in BUSY:
            raise _Busy(f"The server answers with status {answer.status_code}.")
        if not answer.is_success:
            raise OSError(f"The server answers with status {answer.status_code}.")
        if self._at and answer.status_code != PARTIAL:
            raise OSError("The connection broke, and the server does not go on where it was.")
        self._parts = answer.iter_raw()

    def _hang_up(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None
