"""Many queries that a request names."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.contract.fields import ImageId, Url
from common.contract.reasons import otherwise
from common.contract.requests import Request, SearchesFields


class UrlQuery(Request):
    """A query that the service downloads."""

    url: Url = Field(description="Where the service downloads the query.")


class ImageQuery(Request):
    """An indexed image as a query."""

    image_id: ImageId = Field(description="The indexed image.")


NamedQuery = Annotated[
    UrlQuery | ImageQuery, otherwise('must be {"url": ...} or {"image_id": ...}')
]


class NamedQueries(SearchesFields):
    """`POST /searches` with a JSON body."""

    queries: Annotated[list[NamedQuery], Field(min_length=1)] = Field(
        description="What is searched for: images that the service downloads, or indexed ones."
    )
