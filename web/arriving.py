"""Connections without a request hold no thread: those whose request's head is still to come, and
those that are to be closed. The main loop watches both.

gunicorn gives a new connection to a thread, which waits there for its head; and it waits in the
main loop for the client to close its side. A hundred clients that say half a word, or ten that do
not close, would keep everybody else waiting. Where all threads are taken, health has some of its
own.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from web.refusals import refusal

HEAD_S = 15.0
"""Longest time from a head's first byte to its last."""
SILENT_S = 30.0
"""Longest time that a new connection may say nothing."""
PARTING_S = 2.0
"""How long a client may take to close its side: until then it can still read the answer."""
PARTED_BYTES = 64 * 1024
HEAD_BYTES = 32 * 1024
"""A head that has no end after so many is refused."""
HEALTH_THREADS = 4
SPARE = 100
"""Connections that can always be taken: the oldest without a request make room, and where nearly
all have a request that waits for a thread, the next ones are turned away."""
_END = re.compile(rb"\n\r?\n")
_HEALTH = re.compile(rb"(GET|HEAD) /(livez|readyz)[ ?]")


@dataclass
class _Coming:
    """A head that is to come: since when, by the monotonic clock, and how much of it is there."""

    since: float
    size: int = 0

    @property
    def ends(self) -> float:
        """When it is given up."""
        return self.since + (HEAD_S if self.size else SILENT_S)


class Arrivals(ThreadWorker):  # type: ignore[misc]
    """Gives connections to threads once there is a head to read; closes them without waiting."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._coming: dict[TConn, _Coming] = {}
        self._parting: dict[TConn, tuple[float, int]] = {}
        self._busy = 0
        self._health = ThreadPoolExecutor(HEALTH_THREADS, "health")

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            super().run()
        finally:
            self._health.shutdown(wait=False)

    def enqueue_req(self, conn: TConn) -> None:
        """Have a connection served as soon as the head of its request is there."""
        conn.sock.setblocking(False)
        self._coming[conn] = _Coming(time.monotonic())
        # At once: what was read ahead makes no socket readable.
        self._look(conn, conn.sock, registered=False)

    def finish_request(self, conn: TConn, future: Future[Any]) -> None:
        """See what becomes of a connection whose request was answered."""
        if future.cancelled() or future.exception() or not future.result():
            self._part(conn)
        else:
            super().finish_request(conn, future)

    def murder_pending(self) -> None:
        """Give up what takes too long, and make room; the main loop calls this after each round.

        Within a round nothing else is closed: it may come to that connection yet.
        """
        super().murder_pending()
        now = time.monotonic()
        for conn, coming in list(self._coming.items()):
            if now > coming.ends or (not self.alive and now - coming.since > PARTING_S):
                self._drop(conn)
        for conn, (since, _) in list(self._parting.items()):
            if now - since > PARTING_S:
                self._drop(conn)
        while self.nr_conns > self.worker_connections - SPARE and self._make_room():
            pass

    def _look(self, conn: TConn, sock: socket.socket, *, registered: bool = True) -> None:
        """Serve a connection whose head is there; else wait for more of it."""
        coming = self._coming[conn]
        before = conn.parser.unreader.buf.getvalue() if conn.parser else b""
        try:
            new = sock.recv(HEAD_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            new = None
        except OSError:
            self._drop(conn)
            return
        head = before + (new or b"")
        # No more than before, though more was asked for: the client has ended its side.
        ended = new is not None and len(new) <= coming.size
        whole = ended or _END.search(head)
        if whole or len(head) >= HEAD_BYTES:
            if registered:
                self.poller.unregister(sock)
            del self._coming[conn]
            if whole:
                self._serve(conn, head)
            else:
                self._refuse(conn, 431, "Request Header Fields Too Large")
            return
        if new and not coming.size:
            coming.since = time.monotonic()
        coming.size = len(new or b"")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, coming.size + 1)
        if not registered:
            self.poller.register(sock, selectors.EVENT_READ, partial(self._look, conn))

    def _serve(self, conn: TConn, head: bytes) -> None:
        with contextlib.suppress(OSError):
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        conn.data_ready = True
        pool = self.tpool
        if self._busy >= self.cfg.threads and _HEALTH.match(head):
            # For one answer, which always fits into what the system keeps for a client.
            pool, conn.is_last = self._health, True
        elif self._busy >= self.worker_connections - 2 * SPARE:
            self._refuse(conn, 503, "Service Unavailable")
            return
        self._busy += pool is self.tpool
        future = pool.submit(self.handle, conn)
        future.add_done_callback(
            lambda done: self.method_queue.defer(self._served, conn, pool, done)
        )

    def _served(self, conn: TConn, pool: ThreadPoolExecutor, future: Future[Any]) -> None:
        self._busy -= pool is self.tpool
        self.finish_request(conn, future)

    def _refuse(self, conn: TConn, status: int, reason: str) -> None:
        """Answer a request that gets no thread: a few bytes, which a connection has room for."""
        with contextlib.suppress(OSError):
            conn.sock.send(refusal(status, reason))
        self._part(conn)

    def _part(self, conn: TConn) -> None:
        """Close our side of a connection, and all of it when the client has closed its own."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError):
            self._close(conn)
        else:
            self._parting[conn] = (time.monotonic(), 0)

    def _drain(self, conn: TConn, sock: socket.socket) -> None:
        """Read what a client still sends: closing before would take the answer from it."""
        since, count = self._parting[conn]
        try:
            content = sock.recv(PARTED_BYTES)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        count += len(content)
        if not content or count > PARTED_BYTES:
            self._drop(conn)
        else:
            self._parting[conn] = (since, count)

    def _make_room(self) -> bool:
        """Drop the oldest connection that has no request under way; tell whether there is one."""
        for some in (self._parting, self._coming):
            if some:
                self._drop(next(iter(some)))
                return True
        if self.keepalived_conns:
            self.keepalived_conns[0].timeout = time.monotonic() - 1
            self.murder_keepalived()
            return True
        return False

    def _drop(self, conn: TConn) -> None:
        """Close a connection that the main loop watches."""
        self._coming.pop(conn, None)
        self._parting.pop(conn, None)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()
