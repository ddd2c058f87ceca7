"""What both stores on a Qdrant server share: collections with a prefix, and filters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from common.errors import StoreRefused, StoreUnavailable
from worker.vectors.conditions import FilterFactory

BATCH = 256
_TIMEOUT_S = 30
Store = TypeVar("Store", bound="ServerCollections")
FILTERS = FilterFactory(
    filter=models.Filter,
    field=models.FieldCondition,
    value=lambda value: models.MatchValue(value=value),
    any_of=lambda values: models.MatchAny(any=values),
    range=models.Range,
    has_id=lambda ids: models.HasIdCondition(has_id=ids),
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the client's errors into StoreRefused and StoreUnavailable."""
    try:
        yield
    except UnexpectedResponse as exc:
        if exc.status_code is not None and 400 <= exc.status_code < 500:
            raise StoreRefused(f"The Qdrant server does not take this: {exc}") from exc
        raise StoreUnavailable(f"The Qdrant server failed: {exc}") from exc
    except (ApiException, httpx.HTTPError, OSError) as exc:
        raise StoreUnavailable(f"The Qdrant server does not answer as it should: {exc}") from exc


def connect(url: str, *, api_key: str | None = None) -> QdrantClient:
    """Return a client of the server at `url`. Raises StoreUnavailable when it does not answer."""
    with translated():
        client = QdrantClient(
            url=url, api_key=api_key, timeout=_TIMEOUT_S, check_compatibility=False
        )
        client.get_collections()
    return client


class ServerCollections:
    """Collections on a server; any number of processes may share them."""

    prefix: str
    """Goes before a collection's name, so that the stores of one server keep apart."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._known: set[str] = set()

    @classmethod
    def connect(cls: type[Store], url: str, *, api_key: str | None = None) -> Store:
        """Connect to the server at `url`. Raises StoreUnavailable when it does not answer."""
        return cls(connect(url, api_key=api_key))

    def delete_image(self, collection: str, image_id: str) -> None:
        """Remove every point of an image."""
        with translated():
            if self._exists(collection):
                one = models.FilterSelector(filter=FILTERS.of_images_except([image_id], []))
                self._client.delete(self.prefix + collection, one, wait=True)

    def count(self, collection: str) -> int:
        """Return the number of points."""
        with translated():
            if not self._exists(collection):
                return 0
            return self._client.count(self.prefix + collection, exact=True).count

    def delete_collection(self, name: str) -> None:
        """Remove a collection; an absent one is no error."""
        self._known.discard(name)
        with translated():
            self._client.delete_collection(self.prefix + name)

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def _make(self, name: str, **config: Any) -> None:
        """Make a collection unless it is there."""
        if self._exists(name):
            return
        try:
            self._client.create_collection(self.prefix + name, **config)
        except ApiException:
            if not self._client.collection_exists(self.prefix + name):  # else: a peer was faster
                raise
        self._client.create_payload_index(
            self.prefix + name, "image_id", models.PayloadSchemaType.KEYWORD, wait=True
        )

    def _exists(self, name: str) -> bool:
        """Remember collections once seen: this is asked on every search."""
        if name not in self._known and self._client.collection_exists(self.prefix + name):
            self._known.add(name)
        return name in self._known
