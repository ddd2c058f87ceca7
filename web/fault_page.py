"""Faults as a page, for somebody whose browser was sent to an address; programs get JSON."""

from __future__ import annotations

from html import escape

from flask import Response, request

from web.page import POLICY, STATIC

TITLES = {
    401: "A key is needed",
    403: "This is not allowed",
    404: "There is nothing here",
    500: "Something went wrong",
    503: "Needle is not ready",
}
SENTENCES = {
    401: "Sign in on the start page, then open this address again.",
    404: "The address may be mistyped, or what was here has been deleted.",
}
"""What is said in place of a sentence that is meant for programs."""
_KEPT = ("Allow", "Retry-After", "WWW-Authenticate")


def for_readers(answer: Response, sentence: str) -> Response:
    """Return the answer as a page where a browser opened the address, else as it is."""
    answer.vary.add("Accept")
    if not _is_opened():
        return answer
    status = answer.status_code
    title = TITLES.get(status, "That did not work")
    page = (
        STATIC.joinpath("fault.html")
        .read_text()
        .replace("<!--title-->", escape(title))
        .replace("<!--sentence-->", escape(SENTENCES.get(status, sentence)))
    )
    response = Response(page, status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept")
    for name in _KEPT:
        if name in answer.headers:
            response.headers[name] = answer.headers[name]
    return response


def _is_opened() -> bool:
    """Tell whether the request opens a page: it would rather have HTML, and says so by name."""
    wanted = request.accept_mimetypes
    return (
        request.method in ("GET", "HEAD")
        and wanted.best_match(["application/json", "text/html"]) == "text/html"
        and any(kind == "text/html" for kind, _ in wanted)
    )
