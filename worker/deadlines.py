"""Connections that end by a time set before they began, whatever the other side sends, or does not.

A client's own timeouts bound each read, and a server that sends one byte now and then never meets
one. Here the time left of the whole is every step's timeout: connecting, TLS, headers and body.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

TICK_S = 0.5
"""How often a step that waits asks whether it is still wanted."""


class Unwanted(Exception):
    """Nobody wants the answer any more."""


class Course:
    """The time that is left, and whether anybody still waits."""

    def __init__(self, seconds: float, wanted: Callable[[], bool] = lambda: True) -> None:
        self._ends = time.monotonic() + seconds
        self._wanted = wanted
        self._asked = time.monotonic()

    @property
    def left_s(self) -> float:
        """Seconds that are left, never less than 0."""
        return max(0.0, self._ends - time.monotonic())

    def step_s(self) -> float:
        """Return how long the next step may wait. Raises ReadTimeout at the end, or Unwanted."""
        left = self.left_s
        if left <= 0:
            raise httpcore.ReadTimeout("the time is up")
        if time.monotonic() - self._asked >= TICK_S:
            self._asked = time.monotonic()
            if not self._wanted():
                raise Unwanted
        return min(left, TICK_S)


class TimedStream(httpcore.NetworkStream):
    """A connection on such a course."""

    def __init__(self, stream: httpcore.NetworkStream, course: Course) -> None:
        self._stream = stream
        self._course = course

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what comes within the time that is left."""
        while True:
            step = self._course.step_s()
            try:
                return self._stream.read(max_bytes, step)
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send; a request is so small that one step does."""
        self._course.step_s()
        self._stream.write(buffer, self._course.left_s)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Begin TLS. Python bounds a handshake as a whole, not each of its reads."""
        self._course.step_s()
        stream = self._stream.start_tls(ssl_context, server_hostname, self._course.left_s)
        return TimedStream(stream, self._course)

    def get_extra_info(self, info: str) -> Any:
        """See NetworkStream."""
        return self._stream.get_extra_info(info)


class TimedNetwork(httpcore.NetworkBackend):
    """Opens connections that are all on one course."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect within the time that is left."""
        self._course.step_s()
        stream = self._network.connect_tcp(
            host, port, self._course.left_s, local_address, socket_options
        )
        return TimedStream(stream, self._course)
