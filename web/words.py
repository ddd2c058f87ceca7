"""The words of `/openapi.json` that no docstring of a route holds: fields, headers, statuses."""

from __future__ import annotations

from typing import Any

ABOUT = {
    "title": "Needle",
    "version": "1",
    "description": (
        "Finds small images inside large images. Post large photos; search with a small one; the "
        "answer is which photos contain it and where. A job is posted, answered at once with its "
        "id, and polled. Boxes are `[x1, y1, x2, y2]` in pixels of the upright photo, half open. "
        "A field or parameter that is not documented is refused (400), never ignored."
    ),
}

TAGS = {
    "images": "Photos: post, list, show, delete.",
    "photos": "Their pixels: files, thumbnails, cuts. With ETags, to be cached.",
    "search": "Find the photos that contain a small picture.",
    "jobs": "What is under way, and how it ended.",
    "collections": "Photos that are searched together, bound to one encoder.",
    "service": "Is it alive, is it ready, how is it spoken to.",
}

FIELDS = {
    "aggregate": "How the scores of a photo's hits become its score.",
    "batch_size": "Photos that go through the detector together.",
    "box": "Part of the picture: x1, y1, x2, y2 in pixels of the upright image, half open.",
    "collection": "Which collection.",
    "confidence_threshold": "Detections below it become no regions.",
    "cursor": "Where the page begins: from the `next` of the page before.",
    "detect": "Search for each thing in the picture; photos that contain all of them come first.",
    "encoder": "The encoder to bind to; refused (409) if it is not the one in use.",
    "examples": "More pictures of what is searched for: any of them will do.",
    "file": "The small picture; several are pictures of one thing, any of which will do.",
    "files": "A photo, or a zip or tar archive of photos.",
    "filter": (
        'What the metadata must be: equal `{"shop": "Basel"}`, any of `{"tag": ["a", "b"]}`, '
        'within `{"year": {"gte": 2020, "lt": 2025}}`.'
    ),
    "hits_per_image": "Most places that are returned of one photo.",
    "image_id": "An indexed photo, or with `box` a part of it.",
    "kind": "Only jobs of this kind.",
    "limit": "Most rows of the answer.",
    "local_features": "Most local features kept of a photo; 0 for none.",
    "max_side": "Shrink the picture until neither side is longer (pixels).",
    "metadata": "Kept with each photo of the request, answered with it, and to be filtered by.",
    "min_score": "Leave out what scores less (cosine similarity).",
    "name": "A name. In a list: a part of the file's name, in upper or lower case.",
    "negatives": "Not like these: places that are more like one of them are left out.",
    "not_file": "Pictures of what it must not be like, as `negatives`.",
    "negative": "Of those that it must not be like.",
    "number": "Which of the pictures that were posted in that field, from 0.",
    "offset": (
        "Rows to pass over, from the newest or the cursor on. `cursor` is surer where rows come "
        "and go."
    ),
    "profile": "How thoroughly the photos are looked at: what it costs to index, and to find.",
    "rotate": "Try quarter turns of the picture as well. (Its details are found at any angle.)",
    "same_kind": (
        "How much it counts that a photo shows the same kind of thing: 0 the thing itself alone, 1 "
        "the kind alone. Left out, the kind has a say only where the thing is not found. A text is "
        "of no kind."
    ),
    "status": "Only jobs that stand so.",
    "text": "What to look for, in words; not every model pack understands them (422).",
    "text_weight": "With a picture and a text: how much of the search the text is.",
    "url": "Where the service downloads the small picture.",
    "urls": "Where the service downloads the photos.",
    "verify": "Look for the same details in the best photos.",
    "verify_budget_ms": "Longest time that verifying may take (milliseconds).",
    "wait": "Hold the answer until the job has ended, at most so many seconds.",
    "zoom": "Photos whose boxes are fitted at full resolution; 0 for none.",
}

_TEXT = {"type": "string"}
PATH_FIELDS: dict[str, Any] = {
    "image_id": {"schema": {"type": "string", "minLength": 1}, "description": "A photo's id."},
    "job_id": {"schema": {"type": "string", "minLength": 1}, "description": "A job's id."},
    "name": {"schema": {"type": "string", "minLength": 1}, "description": "A collection's name."},
    "number": {
        "schema": {"type": "integer", "minimum": 0},
        "description": "Which of the photo's regions, from 0.",
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
    "If-None-Match": {
        "description": "The ETag of a picture that the client has; 304 while it holds.",
        "schema": _TEXT,
    },
    "Range": {"description": "One range of bytes, `bytes=0-1023`.", "schema": _TEXT},
    "Location": {"description": "Where what was made is.", "schema": _TEXT},
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "ETag": {"description": "Names the content; for `If-None-Match`.", "schema": _TEXT},
    "Cache-Control": {"description": "How long it may be kept.", "schema": _TEXT},
    "Link": {"description": 'The next page, `rel="next"`.', "schema": _TEXT},
}

STATUSES = {
    200: "It is done.",
    201: "It was made.",
    202: "The job is under way; poll it.",
    206: "The range asked for.",
    304: "What the client has still holds.",
    503: "Not everything is there yet.",
}
