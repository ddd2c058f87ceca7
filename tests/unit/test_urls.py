"""URLs: only http, only public addresses, and the address that was checked is the one used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
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
    ],
)
def test_a_url_that_is_not_public_http_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl):
        resolve(url, allowed_hosts=())


def test_a_public_address_passes_and_an_unknown_host_is_another_fault() -> None:
    assert resolve("http://8.8.8.8/a.jpg", allowed_hosts=()).address == "8.8.8.8"
    with pytest.raises(FetchFailed):
        resolve("http://no-such-host.invalid/", allowed_hosts=())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:].replace("SELF", self.headers["Host"]))
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
