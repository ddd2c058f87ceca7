"""The URLs that answers carry. They are paths: a client joins them to the server's address."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from common.contract.answers import CropUrls, ImageUrls, MatchUrls, QueryUrls
from common.contract.fields import DEFAULT_COLLECTION
from common.contract.orders import SearchOrder

PREFIX = "/api/v1"


def job_url(job_id: str) -> str:
    """Return where to poll a job."""
    return f"{PREFIX}/jobs/{job_id}"


def collection_url(name: str) -> str:
    """Return where a collection is."""
    return f"{PREFIX}/collections/{name}"


def image_urls(image_id: str, collection: str) -> ImageUrls:
    """Return where an image, its file and its thumbnail are."""
    base, query = f"{PREFIX}/images/{image_id}", _query(collection)
    return ImageUrls(
        image=base + query, file=f"{base}/file{query}", thumbnail=f"{base}/thumbnail{query}"
    )


def match_urls(image_id: str, collection: str, box: Sequence[int]) -> MatchUrls:
    """Return where a match's image is, and the pixels inside the box of its best hit."""
    crop = crop_urls(image_id, collection, box).crop
    return MatchUrls(**vars(image_urls(image_id, collection)), crop=crop)


def crop_urls(image_id: str, collection: str, box: Sequence[int]) -> CropUrls:
    """Return where the pixels inside a box are."""
    corners = ",".join(str(corner) for corner in box)
    return CropUrls(crop=f"{PREFIX}/images/{image_id}/crop{_query(collection, box=corners)}")


def query_urls(job_id: str, order: SearchOrder) -> QueryUrls:
    """Return where the images of a search's query are; what was downloaded is not kept."""
    base = f"{job_url(job_id)}/query"
    files = [f"{base}?number={n}" if n else base for n in range(order.files)]
    not_files = [f"{base}?number={n}&negative=true" for n in range(order.negative_files)]
    indexed = image_urls(order.image_id, order.collection).file if order.image_id else None
    return QueryUrls(query=files[0] if files else indexed, files=files, not_files=not_files)


def _query(collection: str, **more: str) -> str:
    fields = dict(more)
    if collection != DEFAULT_COLLECTION:
        fields["collection"] = collection
    return "?" + urlencode(fields, safe=",") if fields else ""
