"""What every request passes first: is it for us, and does it come from where it may?

A browser sends requests of any page to any address. Names are checked, so that no foreign name that
leads here (DNS rebinding) makes a foreign page one of ours; and where a request would change
something, the page it comes from has to be ours. Clients that are no browsers send neither Origin
nor Sec-Fetch-Site.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from flask import Flask, Response, request

from common.errors import BadRequest, CrossSite, UnknownHost
from common.settings import Settings

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
ANY = "*"
_HOST = re.compile(r"(?:\[(?P<address>[^\[\]\s]+)\]|(?P<name>[^\s:/?#@\\\[\]]+))(?::[0-9]{0,5})?")
"""A Host header: a name, or an address, and perhaps a port."""
HEADERS = {
    # Images come from strangers: browsers must not guess what they are, nor run what is in them.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}


def install(app: Flask, settings: Settings) -> None:
    """Check every request, and put what protects browsers on every answer."""
    names = own_names(settings)

    @app.before_request
    def check() -> None:
        check_host(request.environ.get("HTTP_HOST"), names)
        if request.method in CHANGING:
            check_origin()

    @app.after_request
    def protect(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if response.is_json:
            response.headers.setdefault("Cache-Control", "no-cache")
        return response


def own_names(settings: Settings) -> frozenset[str]:
    """Return the names that the service goes by, in lower case."""
    machine = socket.gethostname().lower()
    return settings.own_names | {"localhost", machine, f"{machine}.local", settings.host.lower()}


def check_host(given: str | None, names: Collection[str]) -> None:
    """Raise UnknownHost unless a request's Host is a name of ours, or an address.

    An address leads where it says; only a name can be made to lead here by its owner.
    """
    if given is None or ANY in names:
        return
    host = host_of(given)
    if host not in names and not _is_address(host):
        raise UnknownHost(
            f"This service does not go by the name '{host[:100]}'. If it should, start it with "
            f"NEEDLE_SERVER_NAMES={host[:100]}."
        )


def check_origin() -> None:
    """Raise CrossSite when another site's page sends the request."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    foreign = origin is not None and _place_of(origin) != request.host.lower()
    if site not in ("same-origin", "none") or (foreign and site != "same-origin"):
        raise CrossSite("A page of another site may not change anything here.")


def _place_of(origin: str) -> str | None:
    """Return the host and port of an Origin, in lower case; None for what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def host_of(given: str) -> str:
    """Return the name or address in a Host header, in lower case. Raises BadRequest."""
    found = _HOST.fullmatch(given)
    host = (found["address"] or found["name"]).lower().removesuffix(".") if found else ""
    if not host:
        raise BadRequest("The Host header names no host.")
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return True
