"""The URLs that answers carry. They are paths: a client joins them to the address it asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, request

from common.jobs import Job
from common.paging import Cursor
from web.schemas import DEFAULT_COLLECTION

PREFIX = "/api/v1"
_ASKED = (
    "filename", "url", "image_id", "box", "text", "text_weight", "detect", "same_kind",
    "examples", "negatives",
)  # fmt: skip


def job_url(job_id: str) -> str:
    """Return where to poll a job."""
    return f"{PREFIX}/jobs/{job_id}"


def collection_url(name: str) -> str:
    """Return where a collection is."""
    return f"{PREFIX}/collections/{name}"


def image_urls(image_id: str, collection: str) -> dict[str, str]:
    """Return where an image, its file and its thumbnail are."""
    base = f"{PREFIX}/images/{image_id}"
    query = _query(collection)
    return {
        "image": base + query,
        "file": f"{base}/file{query}",
        "thumbnail": f"{base}/thumbnail{query}",
    }


def crop_url(image_id: str, collection: str, box: Sequence[int]) -> str:
    """Return where the pixels inside a box are."""
    corners = ",".join(str(corner) for corner in box)
    return f"{PREFIX}/images/{image_id}/crop{_query(collection, box=corners)}"


def _query(collection: str, **more: str) -> str:
    fields = dict(more)
    if collection != DEFAULT_COLLECTION:
        fields["collection"] = collection
    return "?" + urlencode(fields, safe=",") if fields else ""


def with_links(job: Job) -> dict[str, Any]:
    """Return a finished search's result with what was asked, and the URLs of all pictures."""
    collection = job.details["collection"]
    return {
        **job.result,
        "query": {name: job.details.get(name) for name in _ASKED},
        "urls": _asked_urls(job, collection),
        "matches": [_match(match, collection) for match in job.result["matches"]],
    }


def _asked_urls(job: Job, collection: str) -> dict[str, Any]:
    """Return where the pictures are that were asked with; what was downloaded is not kept."""
    base = f"{job_url(job.job_id)}/query"
    files, negatives = job.details.get("files", 0), job.details.get("negative_files", 0)
    found = {
        "files": [f"{base}?number={n}" if n else base for n in range(files)],
        "not_files": [f"{base}?number={n}&negative=true" for n in range(negatives)],
    }
    image_id = job.details.get("image_id")
    indexed = image_urls(image_id, collection)["file"] if image_id else None
    return {"query": found["files"][0] if files else indexed, **found}


def _match(match: Mapping[str, Any], collection: str) -> dict[str, Any]:
    image_id = match["image_id"]
    hits = [
        {**hit, "urls": {"crop": crop_url(image_id, collection, hit["box"])}}
        for hit in match["hits"]
    ]
    urls = {**image_urls(image_id, collection), "crop": hits[0]["urls"]["crop"]}
    return {**match, "urls": urls, "hits": hits}


def next_page(
    name: str, rows: Sequence[Mapping[str, Any]], after: Cursor | None, total: int | None
) -> Response:
    """Answer with a page of a list and where the next one is: in the body and as a Link header."""
    url = None
    if after is not None:
        fields = {k: v for k, v in request.args.items() if k not in ("offset", "cursor")}
        url = f"{request.path}?{urlencode({**fields, 'cursor': after.text()}, safe=',')}"
    response = jsonify({name: rows, "total": total, "next": url})
    if url is not None:
        response.headers["Link"] = f'<{url}>; rel="next"'
    return response
