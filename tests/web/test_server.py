"""`python -m web` as a process: slow and silent clients keep nobody else waiting."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from common.catalogue import ImageRecord
from common.ids import image_id
from common.images import image_key
from common.jobs import Item, Kind
from common.redis import Client
from common.services import Services
from common.settings import Settings
from tests.conftest import REPO, free_port
from tests.web.conftest import plain
from web import sending
from web.__main__ import THREADS
from web.server import AT_ONCE, EMPTIED, GRACE_S, RECEIVING, Paced
from web.waiting import PLACES

QUICK_S = 3


@pytest.fixture
def port(tmp_path: Path, redis_url: str, redis: Client) -> Iterator[int]:
    """Run the web server and return its port."""
    found = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEEDLE_")}
    env |= {
        "NEEDLE_PORT": str(found),
        "NEEDLE_REDIS_URL": redis_url,
        "NEEDLE_DATA_DIR": str(tmp_path),
    }
    process = subprocess.Popen([sys.executable, "-m", "web"], cwd=REPO, env=env)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", found), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        alive(found, 30)
        yield found
    finally:
        process.terminate()
        process.wait(20)


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


def test_health_answers_while_clients_wait_send_slowly_or_say_nothing(
    port: int, tmp_path: Path, redis_url: str
) -> None:
    services = Services.build(Settings(data_dir=tmp_path, redis_url=redis_url))
    services.jobs.create("job", Kind.SEARCH, [Item(0, "query")], {})
    poll = head(port, "GET", "/api/v1/jobs/job?wait=30")
    form = "Content-Type: multipart/form-data; boundary=x"
    upload = head(port, "POST", "/api/v1/images", form, "Content-Length: 1000000")
    wanted = [
        *[poll] * (PLACES + 60),
        *[upload + b"--x\r\n"] * RECEIVING,
        *[b"GET / HT"] * 4,
    ]
    with ExitStack() as held:
        for content in wanted:
            held.enter_context(connected(port, content))
        alive(port)
        last = upload.replace(b"Host", b"Connection: close\r\nHost") + b"--x\r\n"
        for _ in range(4):
            one_more = held.enter_context(connected(port, last))
            one_more.settimeout(6)
            # On a busy machine it may be taken in before the others, whose place it has then.
            with suppress(TimeoutError):
                error = body_of(one_more)["error"]
                break
    assert isinstance(error, dict) and error["code"] == "overloaded"


def test_health_answers_while_clients_take_nothing_of_what_they_asked_for(
    port: int, tmp_path: Path, redis_url: str
) -> None:
    services = Services.build(Settings(data_dir=tmp_path, redis_url=redis_url))
    content = bytes(16 * 2**20)
    record = ImageRecord("large", "default", "a.png", "image/png", 9, 9, len(content))
    services.images.put(image_key("default", "large"), content)
    services.catalogue.add([record])
    wanted = head(port, "GET", "/api/v1/images/large/file")
    with ExitStack() as held:
        stuck = [held.enter_context(connected(port, wanted)) for _ in range(THREADS + 4)]
        alive(port, sending.SLOW_S + 2 * QUICK_S)
        # Whoever takes the answer gets all of it, beside those that do not.
        url = f"http://127.0.0.1:{port}/api/v1/images/large/file"
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert len(answer.read()) == len(content)
        assert len(stuck[0].recv(2 * len(content), socket.MSG_WAITALL)) < len(content)


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
        "a long head": (many, [b"GET / HTTP/1.1\r\n", *[b"A: " + b"a" * 8000 + b"\r\n"] * 5]),
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
    with ExitStack() as held:
        # Whoever stores the image waits for as long as another is at it.
        held.enter_context(services.images.changing("default", [image_id(content, "default")]))
        for _ in range(THREADS + 20):
            held.enter_context(connected(port, upload))
            time.sleep(0.01)  # their bodies come one after the other
        for _ in range(2):
            alive(port)


@pytest.mark.parametrize("kib", [1, 100, 5000])
def test_a_connection_outlives_a_body_that_nobody_wanted(port: int, kib: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        for _ in range(3):
            connection.request("POST", "/api/v1/nothing-here", bytes(kib * 1024))
            answer = connection.getresponse()
            assert answer.status == 404 and json.load(answer)["error"]["code"]
            assert not answer.will_close
        connection.request("GET", "/livez")
        assert connection.getresponse().status == 200


def test_the_answer_says_that_a_connection_ends_where_too_much_is_left(port: int) -> None:
    length = f"Content-Length: {2 * EMPTIED}"
    with connected(port, head(port, "POST", "/api/v1/nothing-here", length)) as connection:
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.close()
        assert (answer.status, answer.getheader("Connection")) == (404, "close")


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"NONSENSE\r\n\r\n", "bad_request", "not a request"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", "uri_too_long", "URL is too long"),
        (
            b"GET / HTTP/1.1\r\nA: " + b"b" * 9000 + b"\r\n\r\n",
            "headers_too_large",
            "header is too long",
        ),
        (b"GET / HTTP/1.1\r\nA B: c\r\n\r\n", "bad_request", "not a request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: odd\r\n\r\n", "not_implemented", "not a"),
    ],
)
def test_what_is_no_request_is_answered_in_the_one_error_shape(
    port: int, content: bytes, code: str, said: str
) -> None:
    with connected(port, content) as connection:
        error = body_of(connection)["error"]
    assert isinstance(error, dict) and error["code"] == code and said in error["message"]


def test_a_body_whose_chunks_are_broken_is_its_clients_fault(port: int) -> None:
    paths = ("/api/v1/images", "/api/v1/search")
    kinds = ("multipart/form-data; boundary=x", "application/json")
    broken = (b"--x\r\n", b"-5\r\nhello\r\n", b"5\r\nhello, world\r\n")
    for path, kind, chunk in itertools.product(paths, kinds, broken):
        lines = ("Connection: close", "Transfer-Encoding: chunked", f"Content-Type: {kind}")
        sent = head(port, "POST", path, *lines) + chunk + b"0\r\n\r\n"
        with connected(port, sent) as connection:
            error = body_of(connection)["error"]
        assert isinstance(error, dict) and error["code"] == "bad_request", (path, kind, chunk)
        assert "in chunks" in str(error["message"])


def test_a_body_is_taken_from_the_system_in_small_parts() -> None:
    asked: list[int] = []

    class Large:
        def recv(self, size: int) -> bytes:
            asked.append(size)
            return bytes(size)

    assert len(Paced(Large()).recv(1 << 20)) == AT_ONCE  # type: ignore[arg-type]
    assert asked == [AT_ONCE]


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    class Slow:
        def recv(self, size: int) -> bytes:
            now[0] += 10
            return ours.recv(size)

    with ours, theirs:
        theirs.sendall(b"x" * 10)
        paced = Paced(Slow())  # type: ignore[arg-type]
        for _ in range(int(GRACE_S / 10)):
            assert paced.recv(1) == b"x"
        with pytest.raises(TimeoutError):
            paced.recv(1)
