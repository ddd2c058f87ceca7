"""Who asks: whether they are still there."""

from __future__ import annotations

import socket

from flask import request


def client_is_there() -> bool:
    """Tell whether the client of the running request still waits for its answer.

    True where the server does not show its connections.
    """
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        return True
    try:
        flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
        return bool(connection.recv(1, flags))
    except (BlockingIOError, ValueError):  # TLS knows no flags
        return True
    except OSError:
        return False
