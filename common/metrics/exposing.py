"""The port at which a process shows its metrics, apart from the public one.

It answers `GET /metrics`, and at the web server `GET /targets`: every process's port. Nobody needs
a key there, so it is on loopback unless a setting says otherwise.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common.errors import NeedleError
from common.metrics import sharing
from common.metrics.targets import Targets, address_of
from common.redis import connect
from common.settings import Settings
from common.version import VERSION

log = logging.getLogger(__name__)

Source = Callable[[], bytes]
"""Metrics, as Prometheus reads them."""
PORTS = 32
"""So many ports are tried in turn where several workers share a machine."""
STALL_S = 10.0
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Exposed(ThreadingHTTPServer):
    """A server that is listening; `start` has it answer."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, sources: Sequence[Source], targets: Targets | None):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sources, self.targets = sources, targets
        self.at_close: Callable[[], None] = lambda: None
        super().__init__((host, port), _Handler)
        # A child that outlives its parent must not keep the port.
        os.register_at_fork(after_in_child=self.socket.close)

    def server_close(self) -> None:
        """Listen no longer, and be no target."""
        super().server_close()
        self.at_close()

    def start(self) -> None:
        """Answer from now on, in threads of its own."""
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Exposed
    timeout = STALL_S  # a client that says nothing holds a thread no longer

    def do_GET(self) -> None:
        """Answer with the metrics, or with the list of ports."""
        path = self.path.partition("?")[0]
        try:
            if path == "/metrics":
                self._answer(200, _TEXT, b"".join(_read(one) for one in self.server.sources))
            elif path == "/targets" and self.server.targets is not None:
                body = json.dumps(self.server.targets.every()).encode()
                self._answer(200, "application/json", body)
            else:
                self._answer(
                    404, "text/plain", b"There are /metrics and, at the web's, /targets.\n"
                )
        except NeedleError as error:
            self._answer(503, "text/plain", f"{error.message}\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: there are many scrapes."""

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _read(source: Source) -> bytes:
    """Return what a source says; one that fails keeps none of the others from being shown."""
    try:
        return source()
    except Exception:
        log.exception("some metrics cannot be shown")
        return b""


def expose(settings: Settings, role: str, more: Sequence[Source] = ()) -> Exposed | None:
    """Show this process's metrics at its port and tell where; None where the settings want none.

    The web server has `metrics_port`, a worker the first free port after it that is not the public
    one. A port that cannot be had is no reason not to work: the log says so.
    """
    if settings.metrics_port is None:
        return None
    web = role == "web"
    # A connection of its own, which no child inherits in the middle of an answer.
    targets = Targets(connect(settings.redis_url))
    first = settings.metrics_port + (not web)
    ports = [port for port in range(first, first + (1 if web else PORTS)) if port != settings.port]
    sources = [sharing.counted, lambda: build_info(role), *more]
    try:
        server = _first(settings.metrics_host, ports, sources, targets if web else None)
    except OSError as error:
        log.error(
            "no metrics are shown: port %s of %s cannot be had (%s)",
            ports[0] if web else f"{ports[0]} to {ports[-1]}",
            settings.metrics_host,
            error.strerror,
        )
        return None
    server.start()
    port = int(server.server_address[1])
    address = address_of(settings.metrics_host, port, settings.redis_url)
    server.at_close = targets.keep_saying(role, address)
    log.info("metrics are shown at http://%s/metrics", address)
    return server


def build_info(role: str) -> bytes:
    """Return what runs, as Prometheus reads it."""
    about = f'needle_build_info{{version="{VERSION}",role="{role}"}} 1'
    return (
        f"# HELP needle_build_info What runs.\n# TYPE needle_build_info gauge\n{about}\n".encode()
    )


def _first(
    host: str, ports: Sequence[int], sources: Sequence[Source], targets: Targets | None
) -> Exposed:
    """Return a server at the first port that can be had. Raises OSError where none can."""
    *others, last = ports
    for port in others:
        with suppress(OSError):
            return Exposed(host, port, sources, targets)
    return Exposed(host, last, sources, targets)
