"""What may hold a thread is bounded, and all of it together leaves some for short requests."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from flask.testing import FlaskClient

from web import file_answers, ingest, search, sending, server, waiting
from web.__main__ import THREADS


def test_what_may_hold_threads_leaves_some() -> None:
    bounds = (waiting.PLACES, sending.PLACES, server.RECEIVING, server.EMPTYING)
    assert THREADS - sum(bounds) - file_answers.CUTTING >= 32


def test_names_that_nobody_answers_for_hold_a_request_no_longer_than_one(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for_ever = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: for_ever.wait(60) and [])
    monkeypatch.setattr(ingest, "LOOKUP_TIMEOUT_S", 0.4)
    monkeypatch.setattr(search, "LOOKUP_TIMEOUT_S", 0.4)
    slow = [f"http://slow-{number}.example/a.jpg" for number in range(8)]
    try:
        began = time.monotonic()
        answer = client.post("/api/v1/images", json={"urls": slow})
        assert answer.status_code == 202, "the workers look again"
        examples = [{"url": url} for url in slow]
        error = client.post("/api/v1/search", json={"examples": examples}).json["error"]
        assert error["code"] == "fetch_failed"
        assert time.monotonic() - began < 2
    finally:
        for_ever.set()
