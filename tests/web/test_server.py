"""`python -m web` as a process: slow and silent clients keep nobody else waiting."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import time
import urllib.request
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from common.catalogue import ImageRecord
from common.images import image_key
from common.jobs import Item, Kind
from common.services import Services
from common.settings import Settings
from tests.web.serving import QUICK_S, alive, body_of, connected, head
from web import sending
from web.__main__ import THREADS
from web.server import AT_ONCE, EMPTIED, GRACE_S, RECEIVING, Paced
from web.waiting import PLACES


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
