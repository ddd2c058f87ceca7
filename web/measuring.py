"""Each request is counted: by method, pattern of its route, status and duration.

What changes something is traced as well, where that is asked for: `common/tracing.py`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from flask import Flask, Response, g, request

from common import tracing
from common.metrics import meters
from web.guard import CHANGING


def install(app: Flask) -> None:
    """Count every request, those that are refused as well. Install before what refuses."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()
        g.trace = ExitStack()
        if request.method in CHANGING:
            name = f"{request.method} {_route()}"
            carrier = {"traceparent": request.headers.get("traceparent", "")}
            g.trace.enter_context(tracing.span(name, carrier))

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.monotonic() - g.began
        meters().request(request.method, _route(), response.status_code, seconds)
        tracing.note(**{"http.response.status_code": response.status_code})
        return response

    @app.teardown_request
    def over(_: BaseException | None) -> None:
        if trace := g.pop("trace", None):
            trace.close()


def _route() -> str:
    return "none" if request.url_rule is None else request.url_rule.rule
