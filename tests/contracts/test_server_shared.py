"""A Qdrant server that several processes share: what one drops, the others notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from common.errors import StoreUnavailable
from common.vectors import filters
from tests.contracts.engines import connect
from tests.contracts.test_vector_store import DIM, NAME, points, vectors
from worker.vectors.engine import Shelf, Sort, State
from worker.vectors.server import Server
from worker.vectors.stores import VectorStore

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
SHELF = Shelf(Sort.REGIONS, NAME)


class Answering:
    """The client, in front of a server in this process that says 404 where a real one does."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            try:
                return getattr(self._client, name)(*args, **named)
            except ValueError as exc:
                if "not found" not in str(exc):
                    raise
                raise UnexpectedResponse(404, "Not Found", b"", httpx.Headers()) from exc

        return call


@pytest.fixture(params=["local", "http", "server"])
def processes(request: pytest.FixtureRequest) -> Iterator[tuple[VectorStore, VectorStore]]:
    """Return the stores of two processes that know the same collection with an image in it."""
    if request.param == "local":
        client: Any = Answering(QdrantClient(":memory:"))
        one, other = VectorStore(Server(client)), VectorStore(Server(client))
    else:
        one, other = VectorStore(connect(request)), VectorStore(connect(request))
    one.delete_collection(NAME)
    one.ensure_collection(NAME, DIM)
    one.replace_images(NAME, [points("image", vectors(1, 4))])
    other.ensure_collection(NAME, DIM)
    assert len(other.search(NAME, vectors(1, 4)[0], limit=9)) == 4
    yield one, other
    one.close()
    other.close()


def test_a_collection_that_another_process_deleted_can_be_filled_again(
    processes: tuple[VectorStore, VectorStore],
) -> None:
    one, other = processes
    other.delete_collection(NAME)
    one.ensure_collection(NAME, DIM)
    one.replace_images(NAME, [points("again", vectors(2, 3))])
    assert (one.count(NAME), other.count(NAME)) == (3, 3)


def test_one_that_is_gone_is_empty_to_whoever_still_knows_it(
    processes: tuple[VectorStore, VectorStore],
) -> None:
    one, other = processes
    reads: list[tuple[Callable[[], Any], Any]] = [
        (lambda: one.search(NAME, vectors(1, 4)[0], limit=9), []),
        (lambda: one.search(NAME, vectors(1, 4)[0], limit=9, where=filters.parse({"a": 1})), []),
        (lambda: one.count(NAME), 0),
        (lambda: one.state(NAME), State()),
        (lambda: one.delete_image(NAME, "image"), None),
        (lambda: one.engine.read(SHELF, ["0" * 32]), []),
        (lambda: one.engine.delete(SHELF, ["0" * 32]), None),
    ]
    for read, empty in reads:
        other.ensure_collection(NAME, DIM)
        one.ensure_collection(NAME, DIM)
        other.delete_collection(NAME)
        assert read() == empty


def test_writing_into_one_that_is_gone_is_tried_again(
    processes: tuple[VectorStore, VectorStore],
) -> None:
    one, other = processes
    other.delete_collection(NAME)
    with pytest.raises(StoreUnavailable):
        one.replace_images(NAME, [points("again", vectors(2, 3))])
    one.ensure_collection(NAME, DIM)
    one.replace_images(NAME, [points("again", vectors(2, 3))])
    assert one.count(NAME) == 3
