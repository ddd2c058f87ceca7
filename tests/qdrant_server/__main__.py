"""`python -m tests.qdrant_server`: the stand-in, until it is told to end."""

from __future__ import annotations

import argparse
import signal
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.qdrant_server.app import Node, create_app


class Handler(WSGIRequestHandler):
    """Keeps connections open, as a server does, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until TERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.qdrant_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6333)
    parser.add_argument("--api-key", help="the key that every call must bring")
    parser.add_argument("--read-only-key", help="another key, for calls that change nothing")
    parser.add_argument("--folder", type=Path, help="where points are kept between starts")
    parser.add_argument("--strict", action="store_true", help="filters need indexed fields")
    asked = parser.parse_args()
    with ExitStack() as ended:
        folder = asked.folder or Path(ended.enter_context(tempfile.TemporaryDirectory()))
        node = Node(folder)
        ended.callback(node.close)
        app = create_app(
            node, api_key=asked.api_key, read_only_key=asked.read_only_key, strict=asked.strict
        )
        server = make_server(asked.host, asked.port, app, threaded=True, request_handler=Handler)
        server.daemon_threads = True  # a request that hangs does not keep it

        def stop(*_: object) -> None:
            threading.Thread(target=server.shutdown).start()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
