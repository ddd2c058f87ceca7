"""Each request has an id: answered as `X-Request-Id`, and on every line that it logs."""

from __future__ import annotations

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from common.log import add_context, begin_context

log = logging.getLogger(__name__)
HEADER = "X-Request-Id"
_FORM = re.compile(r"[A-Za-z0-9_.:-]{1,128}\Z")
"""What a proxy before this service may have given it; anything else is replaced."""


def install(app: Flask) -> None:
    """Give every request its id. Install before whatever may refuse it."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if _FORM.match(given) else uuid.uuid4().hex
        g.came = time.monotonic()
        begin_context(request_id=g.request_id)
        if request.view_args and "job_id" in request.view_args:
            add_context(job_id=request.view_args["job_id"])

    @app.after_request
    def end(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        seconds = time.monotonic() - g.came
        log.debug(
            "%s %s -> %d in %.3f s", request.method, request.path, response.status_code, seconds
        )
        return response

    @app.teardown_request
    def forget(error: BaseException | None) -> None:
        begin_context()
