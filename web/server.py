"""Gunicorn's worker, made fit for strangers: slow clients hold no thread, errors are JSON.

A thread gets a request once its head is there: see `Arrivals`. A body that is wanted is received by
some of the threads only, and has to come at a pace: see `Reception` and `Paced`. Answers go out by
some of them: see `Sending`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn

from common.errors import BadRequest, Overloaded
from web.arriving import HEAD_S, Arrivals
from web.refusals import refusal
from web.sending import SENDS

STALL_S = 30.0
"""Longest wait for more of a body, and for a client to take more of an answer."""
GRACE_S = 30.0
AT_ONCE = 1 << 18
"""Bytes of a body taken from the system: gunicorn copies all it has for each kilobyte it needs."""
LEAST_BYTES_PER_S = 1024
"""A body that is slower than this, on the whole, is given up after GRACE_S."""
EMPTIED, EMPTYING_S, EMPTYING, TURN_S = 32 * 2**20, 5.0, 16, 0.5
"""A body that nobody wanted is received up to so many bytes, for so long, and so many of them at
once: most clients send all of it before they look at the answer, and send their next request over
the same connection."""
RECEIVING = 16
"""Bodies that are received at once; the threads beyond answer short requests."""


class Worker(Arrivals):
    """Gives up connections that are too slow, and answers in the one error shape."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads: dict[TConn, float] = {}
        self._emptying = threading.BoundedSemaphore(EMPTYING)

    def handle(self, conn: TConn) -> Any:
        """Handle a connection in a thread."""
        self._heads[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._heads.pop(conn, None)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request whose head has come."""
        self._heads.pop(conn, None)
        conn.sock.settimeout(STALL_S)
        conn.parser.unreader.sock = Paced(conn.sock)
        if getattr(conn, "is_last", False):
            req.force_close()
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Tell whether a connection can take another request, once the last one's body is gone."""
        if not keepalive:
            return False
        if getattr(conn.parser.mesg.body.reader, "length", None) == 0:
            return True  # all of it was read, or there was none
        if not self._emptying.acquire(timeout=TURN_S):
            return False
        try:
            end = time.monotonic() + EMPTYING_S
            return bool(conn.parser.finish_body(deadline=end, max_bytes=EMPTIED))
        finally:
            self._emptying.release()

    def murder_pending(self) -> None:
        """Give up slow connections; the main loop calls this after each round."""
        super().murder_pending()
        SENDS.relieve()
        now = time.monotonic()
        for conn, since in list(self._heads.items()):
            if conn.data_ready and now - since > HEAD_S:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what is no request in the one error shape."""
        recorded = _Recorder(client)
        super().handle_error(req, recorded, addr, exc)
        with contextlib.suppress(OSError):
            client.settimeout(STALL_S)
            client.sendall(refusal(recorded.status(), recorded.reason()))


class Log(Logger):  # type: ignore[misc]
    """Gunicorn's own lines go where all others go, in their form."""

    def setup(self, cfg: Any) -> None:
        """Set the levels, and leave the writing to the root logger."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class _Recorder:
    """Stands in for a socket while gunicorn writes its page of an error."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._written = b""

    def send(self, content: bytes) -> int:
        """Take it."""
        self._written += content
        return len(content)

    def sendall(self, content: bytes) -> None:
        """Take it."""
        self._written += content

    def status(self) -> int:
        """Return the status that was written."""
        words = self._written.split(b" ", 2)
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 500

    def reason(self) -> str:
        """Return the reason that was written."""
        line = self._written.split(b"\r\n", 1)[0].split(b" ", 2)
        return line[2].decode("latin1") if len(line) > 2 else "Internal Server Error"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Paced:
    """A socket whose bytes have to come at a pace, counting only the time they are waited for."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waited_s = 0.0
        self._count = 0

    def recv(self, size: int) -> bytes:
        """Return what has come. Raises TimeoutError where that is too little for the time."""
        began = time.monotonic()
        content = self._sock.recv(min(size, AT_ONCE))
        self._waited_s += time.monotonic() - began
        self._count += len(content)
        if self._waited_s > GRACE_S and self._count < LEAST_BYTES_PER_S * self._waited_s:
            raise TimeoutError("the request's body comes too slowly")
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Reception:
    """A WSGI application whose requests' bodies are received by so many threads at once."""

    def __init__(self, app: Callable[..., Any], places: int = RECEIVING) -> None:
        self._app = app
        self._places = threading.BoundedSemaphore(places)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer a request."""
        length = environ.get("CONTENT_LENGTH") or 0
        if not int(length) and not environ.get("wsgi.input_terminated"):
            return self._app(environ, start_response)
        body = _Body(environ["wsgi.input"], self._places, int(length))
        environ["wsgi.input"] = body
        try:
            answer = self._app(environ, start_response)
            if body.left > EMPTIED:
                # The answer has to say so, or the client's next request would go nowhere. Beneath
                # the function that WSGI has for it lies gunicorn's answer.
                start_response.__self__.force_close()  # type: ignore[attr-defined]
            return answer
        finally:
            body.leave()


class _Body:
    """A request's body, which takes a place from its first byte to its last."""

    def __init__(self, stream: Any, places: threading.BoundedSemaphore, length: int) -> None:
        self._stream = stream
        self._places = places
        self._length = length
        self._count = 0
        self._inside = self._over = False

    def read(self, size: int) -> bytes:
        """Read at most so many bytes. Raises Overloaded, or BadRequest for broken chunks."""
        return self._took(self._stream.read, size)

    def readline(self, size: int) -> bytes:
        """Read a line of at most so many bytes. Raises as `read` does."""
        return self._took(self._stream.readline, size)

    @property
    def left(self) -> int:
        """How many bytes have not been read, as far as the request's head says."""
        return self._length - self._count

    def _enter(self) -> None:
        if self._inside or self._over:
            return
        if not self._places.acquire(blocking=False):
            raise Overloaded("As many requests are being received as can be; try again shortly.")
        self._inside = True

    def _took(self, read: Callable[[int], bytes], size: int) -> bytes:
        self._enter()
        try:
            content = read(size)
        except ParseException as exc:
            raise BadRequest("The body is not in chunks, as the request's head says.") from exc
        self._count += len(content)
        if not content or self._count == self._length:
            self.leave()
        return content

    def leave(self) -> None:
        """Give the place back."""
        self._over = True
        if self._inside:
            self._inside = False
            self._places.release()
