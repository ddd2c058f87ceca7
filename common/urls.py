"""Which URLs may be fetched: http and https, to public addresses only (no SSRF)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from common.errors import FetchFailed, InvalidUrl


@dataclass(frozen=True)
class Target:
    """A URL that may be fetched, and the address that it was checked to lead to."""

    url: str
    host: str
    port: int
    address: str


def check_form(url: str) -> tuple[str, int]:
    """Return a URL's host and port without resolving it. Raises InvalidUrl."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise InvalidUrl(f"{url!r} is not a URL.") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidUrl(f"{url!r} is not an http or https URL.")
    if parts.username is not None:
        raise InvalidUrl("A URL with a user name or password is not fetched.")
    return host.lower(), port or (443 if parts.scheme == "https" else 80)


def resolve(url: str, *, allowed_hosts: Collection[str]) -> Target:
    """Check a URL and where it leads.

    Every address of the host must be public, unless the host is in `allowed_hosts`. The caller
    must connect to the address returned: a name that is resolved again may lead elsewhere.
    Raises InvalidUrl, or FetchFailed when the name does not resolve.
    """
    host, port = check_form(url)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise FetchFailed(f"The host '{host}' cannot be found.") from exc
    addresses = [str(entry[4][0]) for entry in found]
    if host not in allowed_hosts:
        for address in addresses:
            if not _public(address):
                raise InvalidUrl(f"'{host}' leads to an address that is not public.")
    return Target(url, host, port, addresses[0])


def _public(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_global and not ip.is_multicast
