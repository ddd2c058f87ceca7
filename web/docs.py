"""`/openapi.json`, made from the declarations of the routes, and `/docs`, a page that shows it.

The page is plain files of this package; it loads nothing from elsewhere.
"""

from __future__ import annotations

import hashlib
import json

from flask import Blueprint, Response, current_app, request

from web.openapi import document
from web.operation import Answer, operation
from web.page import POLICY, STATIC

routes = Blueprint("docs", __name__)
_KEY = "needle.openapi"


@routes.get("/openapi.json")
@operation("service", {200: Answer(headers=("ETag",)), 304: Answer(None, ())})
def openapi() -> Response:
    """Get this description of the interface (OpenAPI 3.1)."""
    app = current_app
    text: str | None = app.extensions.get(_KEY)
    if text is None:
        text = app.extensions[_KEY] = json.dumps(document(app), indent=1)
    return _kept(text, "application/json")


@routes.get("/docs")
@operation("service", {200: Answer(None, ("text/html",)), 304: Answer(None, ())})
def docs() -> Response:
    """Get the page that shows the interface and tries it out."""
    response = _kept(STATIC.joinpath("docs.html").read_text(), "text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _kept(text: str, media_type: str) -> Response:
    """Answer with a text that browsers keep, and ask each time whether it still holds."""
    response = Response(text, mimetype=media_type)
    response.set_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response
