"""Answers that are sent: only so many to clients that do not take them.

Sending holds a thread for as long as a client takes. Where many are held so, the connections of
those that have taken the longest over their part are cut off.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PLACES = 24
"""Slow clients that are waited for at once."""
SLOW_S = 2.0
"""How long a part of an answer may take that nobody minds."""


class Sends:
    """The parts that are being sent by a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._begun: dict[int, tuple[float, socket.socket]] = {}

    def begin(self, sock: socket.socket) -> int:
        """Note that a part is about to be sent; return its number."""
        with self._lock:
            number = next(self._numbers)
            self._begun[number] = (time.monotonic(), sock)
            return number

    def end(self, number: int) -> None:
        """Note that a part was sent, or will not be."""
        with self._lock:
            self._begun.pop(number, None)

    def relieve(self) -> None:
        """Cut off the slowest clients beyond PLACES; their threads are told by an error."""
        slow_since = time.monotonic() - SLOW_S
        with self._lock:
            for number in list(self._begun)[: max(0, len(self._begun) - PLACES)]:
                since, sock = self._begun[number]
                if since > slow_since:
                    return
                del self._begun[number]
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


SENDS = Sends()
"""This process's: gunicorn's worker relieves it every second."""


class Sending:
    """A WSGI application whose answers are counted while they are sent."""

    def __init__(self, app: Callable[..., Any], sends: Sends = SENDS) -> None:
        self._app = app
        self._sends = sends

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer a request."""
        parts = self._app(environ, start_response)
        return _Parts(parts, self._sends, environ["gunicorn.socket"])


class _Parts:
    """An answer's parts: one is being sent from when it is taken until the next is asked for."""

    def __init__(self, parts: Iterable[bytes], sends: Sends, sock: socket.socket) -> None:
        self._parts = parts
        self._left = iter(parts)
        self._sends = sends
        self._sock = sock
        self._number: int | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._end()
        part = next(self._left)
        self._number = self._sends.begin(self._sock)
        return part

    def close(self) -> None:
        """Close the answer."""
        self._end()
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()

    def _end(self) -> None:
        if self._number is not None:
            self._sends.end(self._number)
            self._number = None
