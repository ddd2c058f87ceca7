"""The page at `/` and the files it is made of, out of the package's own folder `static`.

The page is a client like any other: it uses the public API and nothing else. It loads nothing from
elsewhere, and its Content-Security-Policy holds browsers to that: no inline script or style, no
other host, but for images the bucket's where the service sends browsers there. Browsers keep the
files but ask each time whether they still hold (304 by ETag), so that a page never meets the script
of another version.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, send_from_directory

from common.images import ImageStore
from web.services import services

STATIC = Path(__file__).with_name("static")
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_IMAGES = "img-src 'self'"
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
        response.headers["Content-Security-Policy"] = policy(services().images)
    return response


def policy(images: ImageStore) -> str:
    """Return the page's policy, which lets images in from where the store's signed URLs lead."""
    url = images.signed_url("any", "image/jpeg")
    if url is None:
        return POLICY
    place = urlsplit(url)
    return POLICY.replace(_IMAGES, f"{_IMAGES} {place.scheme}://{place.netloc}")
