"""Which URLs may be fetched: http and https, to public addresses only (no SSRF)."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from queue import Empty, Queue
from urllib.parse import urlsplit

from common.errors import FetchFailed, InvalidUrl

LOOKUP_TIMEOUT_S = 5.0
MAX_LOOKUPS = 16
"""Look-ups that a process makes at once, those that were given up included."""
_lookups = threading.Semaphore(MAX_LOOKUPS)
_ASSIGNED = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out; what lies elsewhere is something special, or will be."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation, newer than Python's table
    )
]


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


def resolve(
    url: str, *, allowed_hosts: Collection[str], timeout_s: float = LOOKUP_TIMEOUT_S
) -> Target:
    """Check a URL and where it leads.

    Every address of the host must be public, unless the host is in `allowed_hosts`. The caller
    must connect to the address returned: a name that is resolved again may lead elsewhere.
    Raises InvalidUrl, or FetchFailed when the name does not resolve within `timeout_s`.
    """
    host, port = check_form(url)
    addresses = _addresses(host, port, timeout_s)
    if host not in allowed_hosts:
        for address in addresses:
            if not is_public(address):
                raise InvalidUrl(
                    f"'{host}' leads to an address that is not public: Needle goes to no other."
                )
    return Target(url, host, port, addresses[0])


def _addresses(host: str, port: int, timeout_s: float) -> list[str]:
    """Return where a name leads. The system's resolver knows no time limit: a thread waits for it.

    A look-up that is given up ends by itself, after half a minute or so.
    """
    answer: Queue[list[str] | Exception] = Queue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put([str(entry[4][0]) for entry in found] or OSError("no address"))
        except (OSError, UnicodeError) as exc:
            answer.put(exc)

    if not _lookups.acquire(timeout=timeout_s):
        raise FetchFailed(f"The host '{host}' was not looked up: too many look-ups wait.")
    try:
        threading.Thread(target=_released(look_up), name="lookup", daemon=True).start()
        found = answer.get(timeout=timeout_s)
    except Empty as exc:
        raise FetchFailed(f"The host '{host}' was not found within {timeout_s:g} s.") from exc
    if isinstance(found, Exception):
        raise FetchFailed(f"The host '{host}' cannot be found.") from found
    return found


def _released(look_up: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            look_up()
        finally:
            _lookups.release()

    return run


def is_public(address: str) -> bool:
    """Tell whether an address is of the public internet, by whichever way it is written.

    IPv6 knows many ways to write an IPv4 address. Those that lead to it (mapped, NAT64) are judged
    by it; the others (6to4, Teredo, compatible) are of no use here and are refused.
    """
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast and not _within(ip, _NOT_PUBLIC)
    if ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip in _ASSIGNED and ip.is_global and not _within(ip, _NOT_PUBLIC)


def _within(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
    networks: Collection[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> bool:
    return any(ip.version == network.version and ip in network for network in networks)
