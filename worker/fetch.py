"""Downloading an image from a URL: bounded in time, bytes and redirects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpcore
import httpx

from common.errors import FetchFailed, ImageTooLarge
from common.s3.sources import SourceBuckets, is_object
from common.sizes import sized
from common.urls import Target, resolve
from worker.deadlines import Course, TimedNetwork, Unwanted

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
FAULTS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpx.InvalidURL,
    UnicodeError,  # of a URL that no encoding has
)
_HEADERS = {"User-Agent": "needle", "Accept": "image/*,*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Fetcher:
    """Downloads from public addresses, and from `allowed_hosts` wherever they are.

    `timeout_s` is the time of the whole: names, connections, headers, bodies, redirects.
    """

    timeout_s: float
    max_bytes: int
    allowed_hosts: Collection[str] = ()
    buckets: SourceBuckets | None = None

    def fetch(self, url: str, *, wanted: Callable[[], bool] = lambda: True) -> bytes:
        """Return the bytes behind a URL. `wanted` is asked now and then; a false ends it.

        Raises InvalidUrl, ImageTooLarge beyond `max_bytes`, FetchFailed, or StoreUnavailable where
        it is in a bucket whose server is away.
        """
        if self.buckets is not None and is_object(url):
            return self.buckets.read(url, self.max_bytes)
        course = Course(self.timeout_s, wanted)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                target = resolve(url, allowed_hosts=self.allowed_hosts, timeout_s=course.left_s)
                content = self._get(target, course)
                if isinstance(content, bytes):
                    return content
                url = str(httpx.URL(url).join(content))
        except (httpcore.TimeoutException, TimeoutError) as exc:
            raise FetchFailed(f"The download took longer than {self.timeout_s:g} s.") from exc
        except Unwanted as exc:
            raise FetchFailed("The download was given up: nobody waits for it any more.") from exc
        except (*FAULTS, OSError) as exc:
            reason = str(exc) or type(exc).__name__
            raise FetchFailed(f"The URL could not be downloaded: {reason}") from exc
        raise FetchFailed(f"The URL redirects more than {MAX_REDIRECTS} times.")

    def _get(self, target: Target, course: Course) -> bytes | str:
        """Return the bytes, or the location that the answer redirects to."""
        with answered("GET", target, course, _HEADERS) as answer:
            if answer.status in _REDIRECTS:
                return _location(answer)
            if not 200 <= answer.status < 300:
                raise FetchFailed(f"The URL answered with status {answer.status}.")
            return self._read(answer)

    def _read(self, answer: httpcore.Response) -> bytes:
        content = bytearray()
        for part in answer.iter_stream():
            content += part
            if len(content) > self.max_bytes:
                raise ImageTooLarge(f"The URL holds more than {sized(self.max_bytes)}.")
        return bytes(content)


@contextmanager
def answered(
    method: str,
    target: Target,
    course: Course,
    headers: Mapping[str, str],
    content: bytes | None = None,
) -> Iterator[httpcore.Response]:
    """Send a request and yield its answer, whose body is not read yet. Raises FAULTS, OSError.

    Connects to the address that was checked; the name goes into Host and TLS alone.
    """
    url = httpx.URL(target.url)
    pinned = httpcore.URL(
        scheme=url.raw_scheme, host=target.address, port=target.port, target=url.raw_path
    )
    named: list[tuple[bytes | str, bytes | str]] = [*headers.items(), ("Host", url.netloc)]
    pool = httpcore.ConnectionPool(network_backend=TimedNetwork(course))
    names = {"sni_hostname": target.host}
    with (
        pool,
        pool.stream(method, pinned, headers=named, content=content, extensions=names) as answer,
    ):
        yield answer


def _location(answer: httpcore.Response) -> str:
    for name, value in answer.headers:
        if name.lower() == b"location":
            return value.decode("utf-8", "replace")
    raise FetchFailed(f"The URL answered with status {answer.status} and no location.")
