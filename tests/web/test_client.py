"""Whether the client of a request still waits, asked of real sockets."""

from __future__ import annotations

import socket
import time

from flask import Flask

from web.client import client_is_there


def test_a_silent_client_is_there_and_asking_takes_no_time() -> None:
    server, client = socket.socketpair()
    with server, client:
        server.settimeout(30)  # as the server sets it while it reads a body
        with Flask("test").test_request_context(environ_overrides={"gunicorn.socket": server}):
            began = time.monotonic()
            assert client_is_there()
            assert time.monotonic() - began < 5
            client.sendall(b"x")
            assert client_is_there()


def test_a_client_that_has_left_is_not() -> None:
    server, client = socket.socketpair()
    with server:
        server.settimeout(30)
        client.close()
        with Flask("test").test_request_context(environ_overrides={"gunicorn.socket": server}):
            assert not client_is_there()
