"""What a setting's pattern cannot say. Found out here, at the start, and not by the first use."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

_HOST = re.compile(r"[\w.:%-]+")
_OF_OTHERS = ("NEEDLE_SCREENSHOTS", "NEEDLE_CHROMIUM", "NEEDLE_URL", "NEEDLE_KEY")
"""Variables of the tests and of the command line, beside NEEDLE_TEST_*: a shell may export them."""


def is_of_others(variable: str) -> bool:
    """Tell whether a variable `NEEDLE_*` is no setting of the service, and is passed over."""
    return variable in _OF_OTHERS or variable.startswith("NEEDLE_TEST_")


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
        raise ValueError("has no host, or a host or a port that there cannot be")
    return url


def checked_secrets(secrets: str) -> str:
    """Return secrets to sign webhooks with. Raises ValueError for one that cannot be decoded."""
    for secret in secrets.split():
        try:
            base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError as exc:
            raise ValueError("is no base64: its length or its padding is wrong") from exc
    return secrets


def checked_apart(metrics_port: int, port: int | None) -> int:
    """Return the port of the metrics. Raises ValueError where it is the public one."""
    if metrics_port == port:
        raise ValueError("is the public port, NEEDLE_PORT")
    return metrics_port
