"""What is in the buckets that images may be indexed from."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from common.contract import answers
from common.contract.parameters import ObjectsPage
from web.operation import Answer, operation
from web.responses import respond
from web.services import services

routes = Blueprint("objects", __name__)


@routes.get("/objects")
@operation("images", {200: Answer(answers.StoredObjects)}, query=ObjectsPage, errors=(404,))
def index(page: ObjectsPage) -> Response:
    """List what is in a bucket that images may be indexed from.

    Which these are is a setting of the service (NEEDLE_SOURCE_BUCKETS); any other is refused (404).
    `POST /images` takes the URLs. With a prefix that names a tar archive and ends with a slash
    (`s3://BUCKET/KEY.tar/`) these are the files in it; one that is compressed is not read.
    """
    found, after = services().sources.page(page.prefix, page.cursor, page.limit)
    more = {"prefix": page.prefix, "limit": page.limit, "cursor": after}
    rows = [answers.StoredObject(url=each.url, bytes=each.bytes) for each in found]
    url = None if after is None else f"{request.path}?{urlencode(more)}"
    return respond(answers.StoredObjects(objects=rows, next=url))
