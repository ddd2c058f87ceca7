"""What the supervisor asks the network: is the port free, is the service ready."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Any

import httpx

from machine.stack.errors import StackError

ANSWER_TIMEOUT_S = 3.0


def base_url(host: str, port: int) -> str:
    """Return the URL at which this machine reaches a server that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


def check_port(host: str, port: int) -> None:
    """Raise StackError, saying which setting to change, when nobody could listen there."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web server does
            probe.bind(address)
    except OSError as exc:
        raise StackError(_fault(exc, host, port)) from exc


def _fault(exc: OSError, host: str, port: int) -> str:
    if exc.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use by another program: choose another one with "
            f"NEEDLE_PORT, for instance NEEDLE_PORT={port % 65_535 + 1}."
        )
    if exc.errno == errno.EACCES:
        return f"Port {port} may not be used by this user: choose one above 1023 with NEEDLE_PORT."
    return f"The web server cannot listen on {host} port {port} ({exc}): see NEEDLE_HOST."


def readiness(url: str) -> dict[str, Any]:
    """Return what `/readyz` says; `{"status": "starting"}` while nothing answers there."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=ANSWER_TIMEOUT_S, trust_env=False)
        state = answer.json()
    except (httpx.HTTPError, ValueError):
        return {"status": "starting"}
    return state if isinstance(state, dict) else {"status": "starting"}
