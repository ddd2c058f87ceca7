"""What `/openapi.json` says of the whole, of paths, headers and statuses.

Fields have their sentences in `common/contract/`, calls in the docstrings of the routes.
"""

from __future__ import annotations

from typing import Any

from common.pictures import READ

ABOUT = {
    "title": "Needle",
    "version": "1",
    "description": (
        "Finds small images inside large images. Post large images, then search with a small one, "
        "the query. The answer says which images contain it, and where. A job is posted, answered "
        "at once with its id, and polled. Boxes are `[x1, y1, x2, y2]` in pixels of the upright "
        f"image, half open. Images are read in these formats: {READ}. A field or parameter that "
        "is not documented is refused (400). Answers may get further fields; a client should pass "
        "over those that it does not know."
    ),
}

TAGS = {
    "images": "Images: post, list, show, delete.",
    "files": "The files of images, their thumbnails and crops. With ETags, to be cached.",
    "search": "Find the images that contain a query.",
    "jobs": "What is under way, and how it ended.",
    "collections": "Images that are searched together, bound to one encoder.",
    "service": "Whether the service is alive and ready, and how it is spoken to.",
}

_TEXT = {"type": "string"}
_NAME = {"type": "string", "minLength": 1}
PATH_FIELDS: dict[str, Any] = {
    "image_id": {
        "schema": {"type": "string", "minLength": 1},
        "description": "The id of an image.",
    },
    "job_id": {"schema": _NAME, "description": "The id of a job."},
    "name": {
        "schema": {"type": "string", "minLength": 1},
        "description": "The name of a collection.",
    },
    "number": {
        "schema": {"type": "integer", "minimum": 0},
        "description": "Which of the image's regions, from 0.",
    },
}

HEADERS: dict[str, Any] = {
    "Idempotency-Key": {
        "description": (
            "Makes the request safe to send again: the same request with the same key is answered "
            "with the job that it made the first time, for 24 hours. With another request the key "
            "is refused (422)."
        ),
        "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    },
    "Needle-Webhook": {
        "description": (
            "A URL that is called, signed, when the job has ended. It leads to a public address, "
            "as those of images do."
        ),
        "schema": {"type": "string", "maxLength": 2048},
    },
    "If-None-Match": {
        "description": "The ETag of a file that the client has. The answer is 304 while it holds.",
        "schema": _TEXT,
    },
    "Range": {"description": "One range of bytes, `bytes=0-1023`.", "schema": _TEXT},
    "Location": {"description": "The path of what was made.", "schema": _TEXT},
    "Retry-After": {
        "description": "The seconds after which to ask again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "ETag": {"description": "Names the content; for `If-None-Match`.", "schema": _TEXT},
    "Cache-Control": {"description": "How long a cache may keep the answer.", "schema": _TEXT},
    "Link": {"description": 'The next page, `rel="next"`.', "schema": _TEXT},
}

STATUSES = {
    200: "It is done.",
    201: "It was made.",
    202: "The job is under way; poll it.",
    204: "It is gone.",
    206: "The range that was asked for.",
    304: "What the client has still holds.",
    503: "Not everything is there yet.",
}
