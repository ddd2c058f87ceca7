"""Sends inputs to a service that runs, and notes how each was answered."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.fuzz.inputs import Input

AT_ONCE = 4
HANGS_S = 60.0
"""Longer than any wait that a request may ask for and the work behind it, on a busy machine."""
CLOSED = 0
"""The status of an input that was answered with the end of its connection."""
HUNG = -1


@dataclass(frozen=True)
class Answered:
    """How an input was answered: `code` of its error, `job_id` of what it began."""

    given: Input
    status: int
    code: str
    job_id: str
    seconds: float

    @property
    def unsound(self) -> bool:
        """Tell whether it found a hole.

        What is no request may be answered with silence, or with 501 where its form is not known.
        """
        if self.status in (CLOSED, 501):
            return self.given.kind != "wire"
        return self.status >= 500 or self.status == HUNG


def sent(base_url: str, inputs: Iterable[Input]) -> Iterator[Answered]:
    """Send inputs, a few at once, and yield how they were answered, in their order."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    with (
        httpx.Client(base_url=base_url, timeout=HANGS_S, limits=limits) as client,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        every = iter(inputs)
        while some := list(itertools.islice(every, 16 * AT_ONCE)):  # a pool takes all at once
            yield from pool.map(lambda given: _answered(client, base_url, given), some)


def _answered(client: httpx.Client, base_url: str, given: Input) -> Answered:
    began = time.monotonic()
    try:
        if given.kind == "wire":
            status, body = _on_the_wire(base_url, given.wire)
        else:
            answer = client.request(given.method, given.path, **given.options)
            status, body = answer.status_code, answer.content
    except (httpx.TimeoutException, TimeoutError):
        status, body = HUNG, b""
    except (httpx.HTTPError, OSError):
        status, body = CLOSED, b""
    said = _read(body)
    error = said.get("error")
    code = str(error.get("code")) if isinstance(error, dict) else ""
    job_id = str(said.get("job_id") or "") if status in (200, 202) else ""
    return Answered(given, status, code, job_id, time.monotonic() - began)


def _on_the_wire(base_url: str, content: bytes) -> tuple[int, bytes]:
    """Send bytes, say that no more come, and return the first answer's status and body."""
    parts = urlsplit(base_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=HANGS_S) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65_536):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else CLOSED, body


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
