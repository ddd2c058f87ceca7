"""What a fault does to a request on its way: an error in place of the answer, or none at all."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from typing import Any

from werkzeug import Request, Response

from tests.qdrant_server.faults import Faults

ORDERED = {"status": {"error": "Service internal error: a fault that was ordered"}, "time": 0.0}


def spoiled(serve: Any, faults: Faults) -> Any:
    """Return a WSGI application whose requests are struck by faults; `/faults` itself is not."""

    def served(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        asked = Request(environ)
        struck = None if asked.path == "/faults" else faults.strike(asked.method, asked.path)
        if struck is None:
            return serve(environ, start)  # type: ignore[no-any-return]
        fault = struck.fault
        if fault.kind == "slow":
            struck.over.wait(fault.seconds)
            return serve(environ, start)  # type: ignore[no-any-return]
        answer = Response.from_app(serve, environ) if fault.done else None
        if fault.kind == "status":
            if not fault.done:
                asked.get_data()  # or it would be taken for the next request
            later = {"Retry-After": "1"} if fault.status == 429 else None
            return Response(json.dumps(ORDERED), fault.status, later)(environ, start)
        if fault.kind == "hang":
            struck.over.wait(fault.seconds)
        _cut(environ["werkzeug.socket"], answer if fault.kind == "cut" else None)
        raise ConnectionAbortedError("cut, as was ordered")

    return served


def _cut(connection: socket.socket, answer: Response | None) -> None:
    """Close a connection, in the middle of the answer where there is one."""
    if answer is not None:
        body = answer.get_data()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body[: len(body) // 2])
    connection.shutdown(socket.SHUT_RDWR)
