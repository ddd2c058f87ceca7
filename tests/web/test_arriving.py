"""Connections that leave something undone keep nobody else waiting: the real server."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from common.ids import image_id
from common.services import Services
from common.settings import Settings
from tests.web.conftest import plain
from tests.web.serving import QUICK_S, alive, body_of, connected, head
from web.__main__ import THREADS


def test_everybody_is_answered_whatever_connections_leave_undone(port: int) -> None:
    get = head(port, "GET", "/livez")
    many = THREADS + 54
    undone = {
        "half a head": (many, [b"GET /livez HT"]),
        "half of a second head": (many, [get + b"GET /livez HT"]),
        "nothing said": (1100, [b""]),
        "kept for another request": (1100, [get]),
        "not closed": (10, [head(port, "GET", "/livez", "Connection: close")]),
        "not closed after what is no request": (10, [b"NONSENSE\r\n\r\n"]),
        "a body that nobody wants": (many, [head(port, "POST", "/a", "Content-Length: 99999")]),
        "a long head": (1100, [b"GET / HTTP/1.1\r\n", *[b"A: " + b"a" * 8000 + b"\r\n"] * 5]),
    }
    for kind, (count, sent) in undone.items():
        with ExitStack() as held:
            for _ in range(count):
                connection = socket.create_connection(("127.0.0.1", port), 30)
                held.enter_context(connection)
                for content in sent:
                    with suppress(OSError):  # the oldest have made room
                        connection.sendall(content)
            for path in ("/livez", "/docs", "/livez"):
                try:
                    alive(port, path=path)
                except OSError:
                    pytest.fail(f"{path} does not answer: {kind}")


def test_uploads_that_stand_still_keep_no_other_waiting(port: int) -> None:
    form = "Content-Type: multipart/form-data; boundary=x"
    begun = head(port, "POST", "/api/v1/images", form, "Content-Length: 1000000") + bytes(1 << 17)
    whole = head(
        port, "POST", "/api/v1/images", form, f"Content-Length: {1 << 17}", "Connection: close"
    )
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(connected(port, begun))
        time.sleep(0.2)
        upload = held.enter_context(connected(port, whole + bytes(1 << 17)))
        upload.settimeout(QUICK_S)
        assert body_of(upload)["error"]


def test_a_head_that_comes_in_pieces_is_a_request(port: int) -> None:
    content = head(port, "GET", "/livez")
    with connected(port, b"") as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for place in range(0, len(content), 7):
                connection.sendall(content[place : place + 7])
                time.sleep(0.005)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 200 and answer.read()


def test_a_client_that_ends_its_side_gets_its_answer(port: int) -> None:
    with connected(port, head(port, "GET", "/livez", "Connection: close")) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert body_of(connection) == {"status": "alive"}
    with connected(port, b"GET /livez HT") as connection:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


@pytest.mark.parametrize("first", [b"", b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"])
def test_connections_that_end_while_room_is_made_end_nothing_else(
    running: tuple[int, int], first: bytes
) -> None:
    """All of it comes in one round of the main loop: the process is stopped meanwhile."""
    port, process = running
    with ExitStack() as held:
        connections = [held.enter_context(connected(port, first)) for _ in range(950)]
        alive(port)
        os.kill(process, signal.SIGSTOP)
        try:
            for _ in range(5):
                held.enter_context(socket.create_connection(("127.0.0.1", port), 30))
            for connection in connections:
                connection.close()
        finally:
            os.kill(process, signal.SIGCONT)
        alive(port)
    alive(port)
    os.kill(process, 0)


def test_a_head_without_an_end_is_refused(port: int) -> None:
    lines = b"".join(b"A%d: " % n + b"a" * 8000 + b"\r\n" for n in range(5))
    with connected(port, b"GET / HTTP/1.1\r\n" + lines) as connection:
        assert "too long" in str(body_of(connection)["error"])


def test_where_all_threads_are_taken_health_has_its_own(
    port: int, tmp_path: Path, redis_url: str
) -> None:
    services = Services.build(Settings(data_dir=tmp_path, redis_url=redis_url))
    content = plain()
    form = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        + content
        + b"\r\n--x--\r\n"
    )
    lines = ("Content-Type: multipart/form-data; boundary=x", f"Content-Length: {len(form)}")
    upload = head(port, "POST", "/api/v1/images", *lines) + form
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=QUICK_S)
    kept.request("GET", "/livez")
    assert kept.getresponse().read()
    with ExitStack() as held:
        # Whoever stores the image waits for as long as another is at it.
        held.enter_context(services.images.changing("default", [image_id(content, "default")]))
        for _ in range(THREADS + 20):
            held.enter_context(connected(port, upload))
            time.sleep(0.01)  # their bodies come one after the other
        for _ in range(2):
            alive(port)
        with pytest.raises(OSError):
            alive(port, 0.5, "/docs")
        kept.request("GET", "/livez")
        assert kept.getresponse().status == 200
        waiting = head(port, "GET", "/docs")
        others = [held.enter_context(connected(port, waiting)) for _ in range(800)]
        assert body_of(others[-1])["error"]
        alive(port)
