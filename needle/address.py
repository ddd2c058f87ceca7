"""Where a service is, and what it means when nothing comes from there."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = range(1, 65536)
_HINT = ": start one with `make up`, or name its address with NEEDLE_URL or NEEDLE_PORT"


def parse(text: str) -> httpx.URL:
    """Return the address of a service; without a scheme it is http. Raises ValueError."""
    scheme, found, rest = text.strip().partition("://")
    if not found:
        scheme, rest = "http", scheme
    try:
        url = httpx.URL(f"{scheme}://{rest.rstrip('/')}")
        port = url.port
    except (httpx.InvalidURL, ValueError):
        raise ValueError(_no_address(text)) from None
    if url.scheme not in ("http", "https") or not url.host or (port or 80) not in _PORTS:
        raise ValueError(_no_address(text))
    return url


def _no_address(text: str) -> str:
    return f"{text!r} is no address of a service: one is written http://HOST:PORT."


def silence(url: httpx.URL, exc: httpx.RequestError) -> str:
    """Return in a sentence why no answer came from there."""
    causes = list(_causes(exc))
    if isinstance(exc, httpx.ProxyError):
        return f"The proxy on the way to {url} did not let the request pass."
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return f"This machine does not trust the certificate of {url}."
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"What answers at {url} does not speak TLS as this machine does: is it http://?"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"No Needle answers at {url}: no machine is known by the name {url.host}."
    if isinstance(exc, httpx.ConnectTimeout):
        return f"No Needle answers at {url}: the connection was not made in time."
    if isinstance(exc, httpx.ConnectError):
        hint = _HINT if url.host in LOOPBACK else ""
        return f"No Needle answers at {url}{hint}."
    if isinstance(exc, httpx.TimeoutException):
        return f"Needle at {url} did not answer in time."
    if isinstance(exc, httpx.DecodingError):
        return f"The answer of {url} is damaged."
    return f"Needle at {url} did not answer: the connection broke off."


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it was raised from."""
    seen: set[int] = set()
    now: BaseException | None = exc
    while now is not None and id(now) not in seen:
        yield now
        seen.add(id(now))
        now = now.__cause__ or now.__context__
