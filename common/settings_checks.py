"""What a setting's pattern cannot say. Found out here, at the start, and not by the first use."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

_HOST = re.compile(r"[\w.:%-]+")
_PASSWORD = re.compile(r"(://)\S*@")
"""User and password of a URL, which no log is to hold."""


def shown(value: object, *, secret: bool) -> str:
    """Return a wrong value as the log may hold it."""
    return "(not shown)" if secret else _PASSWORD.sub(r"\1***@", repr(value))


def checked_server(url: str) -> str:
    """Return the URL of a server. Raises ValueError where there cannot be one."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return url
    # Redis is on this machine where no host is named.
    host = parts.hostname or ("localhost" if parts.scheme in ("redis", "rediss") else "")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or not _HOST.fullmatch(host):
        raise ValueError("It has no host, or a host or a port that there cannot be")
    return url


def checked_secrets(secrets: str) -> str:
    """Return secrets to sign webhooks with. Raises ValueError for one that cannot be decoded."""
    for secret in secrets.split():
        try:
            base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError as exc:
            raise ValueError("It is no base64: its length or its padding is wrong") from exc
    return secrets


def checked_apart(metrics_port: int, port: int | None) -> int:
    """Return the port of the metrics. Raises ValueError where it is the public one."""
    if metrics_port == port:
        raise ValueError("It is the public port, NEEDLE_PORT")
    return metrics_port


def explained(faults: Sequence[ErrorDetails], fields: Mapping[str, FieldInfo], prefix: str) -> str:
    """Say every fault on a line of its own, in the operator's words."""
    lines = []
    for fault in faults:
        name = str(fault["loc"][0])
        variable = prefix + name.upper()
        if fault["type"] == "extra_forbidden":
            lines.append(f"{variable} is not a setting; docs/SETTINGS.md lists them all")
            continue
        value = shown(fault["input"], secret=not fields[name].repr)
        lines.append(f"{variable}={value}: {fault['msg']} ({fields[name].description})")
    return "Invalid settings:\n  " + "\n  ".join(lines)
