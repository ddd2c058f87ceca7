"""Who asks: whether they are still there."""

from __future__ import annotations

import select
import socket

from flask import request


def client_is_there() -> bool:
    """Tell whether the client of the running request still waits for its answer.

    True where the server does not show its connections.
    """
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        return True
    waiting = select.poll()
    try:
        waiting.register(connection, select.POLLIN | select.POLLHUP)
        if not waiting.poll(0):  # a socket with a timeout would be waited for, whatever its flags
            return True
        return bool(connection.recv(1, socket.MSG_PEEK))
    except ValueError:  # TLS knows no flags
        return True
    except OSError:
        return False
