"""URLs: only http, only public addresses, and the address that was checked is the one used."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from common.errors import FetchFailed, ImageTooLarge, InvalidUrl
from common.urls import resolve
from worker.fetch import Fetcher


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.jpg",
        "file:///etc/passwd",
        "example.org/a.jpg",
        "http://",
        "http://user:secret@example.org/",
        "http://[::1",
        "http://127.0.0.1/a.jpg",
        "http://localhost/a.jpg",
        "http://10.1.2.3/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0/",
        "http://2130706433/",
        "http://224.0.0.1/",
        "http://[64:ff9b::7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[::8.8.8.8]/",
        "http://[5f00::1]/",
        "http://[3fff::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001::1]/",
        "http://[64:ff9b:1::1]/",
        "http://192.0.0.8/",
    ],
)
def test_a_url_that_is_not_public_http_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl):
        resolve(url, allowed_hosts=())


def test_a_public_address_passes_and_an_unknown_host_is_another_fault() -> None:
    assert resolve("http://8.8.8.8/a.jpg", allowed_hosts=()).address == "8.8.8.8"
    assert resolve("http://[64:ff9b::808:808]/", allowed_hosts=()).host == "64:ff9b::808:808"
    with pytest.raises(FetchFailed):
        resolve("http://no-such-host.invalid/", allowed_hosts=())


def test_a_name_that_nobody_answers_for_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for_ever = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: for_ever.wait() and [])
    with pytest.raises(FetchFailed, match="not found within"):
        resolve("http://slow.example/", allowed_hosts=(), timeout_s=0.05)
    for_ever.set()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:].replace("SELF", self.headers["Host"]))
            self.end_headers()
            return
        if self.path.startswith("/status/"):
            self.send_response(int(self.path[8:]))
            self.end_headers()
            return
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()
        self.wfile.write(b"x" * 1000 if self.path == "/big" else self.headers["Host"].encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Run an HTTP server and return its host and port."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"localhost:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


FETCHER = Fetcher(timeout_s=5, max_bytes=100, allowed_hosts=frozenset({"localhost"}))


def test_an_allowed_host_is_fetched_with_its_own_name(server: str) -> None:
    assert FETCHER.fetch(f"http://{server}/ok") == server.encode()


def test_a_redirect_is_followed_and_checked_again(server: str) -> None:
    assert FETCHER.fetch(f"http://{server}/to/http://SELF/ok") == server.encode()
    with pytest.raises(InvalidUrl):
        FETCHER.fetch(f"http://{server}/to/http://127.0.0.1:1/secret")
    with pytest.raises(InvalidUrl):
        FETCHER.fetch(f"http://{server}/to/file:///etc/passwd")


def test_too_many_bytes_a_bad_status_and_a_closed_port_are_faults(server: str) -> None:
    with pytest.raises(ImageTooLarge):
        FETCHER.fetch(f"http://{server}/big")
    with pytest.raises(FetchFailed, match="404"):
        FETCHER.fetch(f"http://{server}/missing")
    with pytest.raises(FetchFailed):
        FETCHER.fetch("http://localhost:1/")


@pytest.mark.parametrize("status", [300, 301, 304, 307])
def test_a_redirect_that_leads_nowhere_is_the_urls_fault(server: str, status: int) -> None:
    with pytest.raises(FetchFailed, match=str(status)):
        FETCHER.fetch(f"http://{server}/status/{status}")


def dripping(start: bytes, drop: bytes) -> tuple[str, threading.Event]:
    """Serve one connection that sends `start`, then `drop` again and again; return its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    gone = threading.Event()

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(4096)
            with suppress(OSError):
                connection.sendall(start)
                for _ in range(100):  # an end, or a test that fails would never say so
                    if gone.wait(0.05):
                        break
                    connection.sendall(drop)
        gone.set()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://localhost:{listener.getsockname()[1]}/", gone


DRIPS = {
    "nothing": (b"", b""),
    "header bytes": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "body bytes": (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x"),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_the_time_of_a_download_is_the_time_of_the_whole(drip: str) -> None:
    url, gone = dripping(*DRIPS[drip])
    fetcher = Fetcher(timeout_s=0.6, max_bytes=100, allowed_hosts={"localhost"})
    began = time.monotonic()
    with pytest.raises(FetchFailed, match=r"longer than 0\.6 s"):
        fetcher.fetch(url)
    assert time.monotonic() - began < 2.5
    gone.set()


def test_a_download_that_nobody_waits_for_ends() -> None:
    url, gone = dripping(*DRIPS["body bytes"])
    fetcher = Fetcher(timeout_s=60, max_bytes=10_000, allowed_hosts={"localhost"})
    began = time.monotonic()
    with pytest.raises(FetchFailed, match="given up"):
        fetcher.fetch(url, wanted=lambda: False)
    assert time.monotonic() - began < 5
    assert gone.wait(5), "the connection is closed"
