"""The page at `/` and the files it is made of, out of the package's own folder `static`.

The page is a client like any other: it uses the public API and nothing else. It loads nothing from
elsewhere, and its Content-Security-Policy holds browsers to that: no inline script or style, no
other host. Browsers keep the files but ask each time whether they still hold (304 by ETag), so
that a page never meets the script of another version.
"""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

STATIC = Path(__file__).with_name("static")
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
routes = Blueprint("page", __name__)


@routes.get("/")
def page() -> Response:
    """Return the page."""
    return send_from_directory(STATIC, "index.html")


@routes.get("/static/<path:name>")
def static(name: str) -> Response:
    """Return one of the page's files; 404 for what is not in `static`."""
    return send_from_directory(STATIC, name)


@routes.after_request
def guard(response: Response) -> Response:
    """Put the policy on HTML, whichever of the two paths it came by."""
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = POLICY
    return response
