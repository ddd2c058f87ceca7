"""From the models of `common/contract/answers/` to HTTP responses."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Response, jsonify, request
from pydantic import BaseModel

from common.contract import answers
from common.paging import Cursor


def respond(answer: BaseModel, status: int = 200) -> Response:
    """Return an answer as JSON; a field that was not set does not apply, and is left out."""
    response = jsonify(answer.model_dump(mode="json", exclude_unset=True))
    response.status_code = status
    return response


def jobs_page(
    rows: Sequence[answers.ListedJob], after: Cursor | None, total: int | None
) -> Response:
    """Return a page of the jobs and where the next one is: in the body and as a Link header."""
    url = _next_url(after)
    return _linked(answers.Jobs(jobs=list(rows), total=total, next=url), url)


def images_page(
    rows: Sequence[answers.Image], after: Cursor | int | None, total: int | None
) -> Response:
    """Return a page of the images, as `jobs_page` does."""
    url = _next_url(after)
    return _linked(answers.Images(images=list(rows), total=total, next=url), url)


def _next_url(after: Cursor | int | None) -> str | None:
    """Return the URL of the page behind a cursor or from an offset on."""
    if after is None:
        return None
    fields = {k: v for k, v in request.args.items() if k not in ("offset", "cursor")}
    place = {"offset": str(after)} if isinstance(after, int) else {"cursor": after.text()}
    return f"{request.path}?{urlencode({**fields, **place}, safe=',')}"


def _linked(page: BaseModel, url: str | None) -> Response:
    response = respond(page)
    if url is not None:
        response.headers["Link"] = f'<{url}>; rel="next"'
    return response
