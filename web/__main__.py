"""`python -m web`: the front end under gunicorn, on NEEDLE_HOST and NEEDLE_PORT."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys

from flask import Flask
from gunicorn.app.base import BaseApplication

from common import log as logs
from common import tracing
from common.errors import NeedleError
from common.metrics import sharing
from common.metrics.exposing import expose
from common.metrics.service import ServiceState
from common.services import Services
from common.settings import Settings
from web import keys
from web.access import check_start
from web.app import create_app
from web.sending import Sending
from web.server import Reception

THREADS = 176
"""A request that waits for a job holds one, a body that comes in or that nobody wanted, a part that
is cut out, and an answer that goes out: see `PLACES` of `web.waiting` and `web.sending`, RECEIVING,
EMPTYING and CUTTING. Some are left for short requests."""

_SHARED = "/dev/shm"  # noqa: S108 (gunicorn's own heartbeat, a file without a name)

KEPT_S = 30
"""How long a connection is kept for a client's next request: longer than the usual `Retry-After` of
a busy service, or the request that is sent then would meet the connection's end."""


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn, configured by Needle's settings instead of its own files."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """One process of many threads: the work is waiting, and the memory stays small."""
        self.cfg.set("bind", f"{self._settings.host}:{self._settings.port}")
        self.cfg.set("worker_class", "web.server.Worker")
        self.cfg.set("workers", 1)
        self.cfg.set("threads", THREADS)
        self.cfg.set("keepalive", KEPT_S)
        self.cfg.set("graceful_timeout", 10)
        self.cfg.set("loglevel", "warning")
        self.cfg.set("logger_class", "web.server.Log")
        self.cfg.set("control_socket_disable", True)  # it would lie in the user's home
        self.cfg.set("worker_tmp_dir", _SHARED if os.path.isdir(_SHARED) else None)
        self.cfg.set("when_ready", lambda _: self._expose())

    def _expose(self) -> None:
        """Show metrics from the parent, whatever becomes of the process that answers."""
        state = ServiceState(Services.build(self._settings))
        expose(self._settings, "web", [state.text])

    def load(self) -> Flask:
        """Build the application in the worker process."""
        tracing.begin(self._settings, "web")
        app = create_app(self._settings)
        app.wsgi_app = Sending(Reception(app.wsgi_app))  # type: ignore[method-assign]
        return app


def allow_open_files() -> None:
    """Raise the limit on open files to what the system grants: a request may hold thousands."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def keep_memory_small() -> None:
    """Make glibc give large buffers back: images pass through many threads here.

    By default each thread keeps a heap of its own, and the size from which a buffer is returned at
    once grows with every large one freed. Elsewhere than on glibc this does nothing.
    """
    arena_max, mmap_threshold, trim_threshold = -8, -3, -1  # from malloc.h
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(arena_max, 2)
        libc.mallopt(mmap_threshold, 256 * 1024)
        libc.mallopt(trim_threshold, 1024 * 1024)


def main() -> int:
    """Serve until told to stop; 2 when a setting is wrong, 1 without a key where one is needed.

    With `keys` as the first word, see `web.keys`.
    """
    if sys.argv[1:2] == ["keys"]:
        return keys.main(sys.argv[2:])
    allow_open_files()
    keep_memory_small()
    try:
        settings = Settings.from_env(os.environ)
        check_start(settings)
        tracing.check(settings)
        logs.configure(settings.log_level, settings.log_format, process="web")
        if settings.metrics_port is not None:
            sharing.begin()
        Services.build(settings)  # nothing is sent; what cannot be made is said here
    except NeedleError as error:
        print(error.message, file=sys.stderr)
        return error.exit_status
    Server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
