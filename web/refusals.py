"""Answers of the server itself, before the application is asked: in the one error shape."""

from __future__ import annotations

import json

_CODES = {
    400: "bad_request",
    403: "forbidden",
    414: "uri_too_long",
    417: "expectation_failed",
    431: "headers_too_large",
    500: "internal",
    501: "not_implemented",
    503: "overloaded",
}
_SAID = {
    414: "The URL is too long.",
    431: "A header is too long, or there are too many.",
    500: "Something went wrong.",
    503: "More requests wait than can be answered; try again shortly.",
}


def refusal(status: int, reason: str) -> bytes:
    """Return the answer, after which the connection ends."""
    message = _SAID.get(status, "This is not a request.")
    error = {"code": _CODES.get(status, "bad_request"), "message": message}
    body = json.dumps({"error": error}).encode()
    again = "Retry-After: 2\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n{again}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
