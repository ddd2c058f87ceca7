"""Talking to a web server byte by byte."""

from __future__ import annotations

import json
import socket
import urllib.request

QUICK_S = 3


def alive(port: int, timeout_s: float = QUICK_S, path: str = "/livez") -> None:
    """Fail unless /livez, or another path, answers within that time."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout_s) as answer:
        assert answer.status == 200


def connected(port: int, content: bytes) -> socket.socket:
    """Return a connection over which those bytes were sent."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    connection.sendall(content)
    return connection


def head(port: int, method: str, path: str, *lines: str) -> bytes:
    """Return a request's head."""
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines, "", ""]
    ).encode()


def body_of(connection: socket.socket) -> dict[str, object]:
    """Return the JSON of an answer that ends its connection."""
    content = b""
    while part := connection.recv(65536):
        content += part
    assert b"text/html" not in content
    found: dict[str, object] = json.loads(content.partition(b"\r\n\r\n")[2])
    return found
