"""Each request is counted: by method, pattern of its route, status and duration."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request

from common.metrics import meters


def install(app: Flask) -> None:
    """Count every request, those that are refused as well. Install before what refuses."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        route = "none" if request.url_rule is None else request.url_rule.rule
        seconds = time.monotonic() - g.began
        meters().request(request.method, route, response.status_code, seconds)
        return response
