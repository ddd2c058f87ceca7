"""A Qdrant server that fails on the wire: what is said of it, and what trying again makes good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from common.errors import NeedleError, StoreRefused, StoreUnavailable
from common.vectors.filters import Condition
from tests.contracts.test_vector_store import DIM, points, vectors
from tests.qdrant_server.running import QdrantServer
from worker.vectors.engine import Row, Shelf, Sort, State
from worker.vectors.server import Server
from worker.vectors.server.errors import NoAnswer
from worker.vectors.stores import VectorStore, WordStore
from worker.vectors.words import SparseVector, WordsPoint

NAME = "faults"
SHELF = Shelf(Sort.REGIONS, NAME)
FAULTS = [
    ({"kind": "status", "status": 500}, "failed (500: Service internal error"),
    ({"kind": "status", "status": 503}, "failed (503"),
    ({"kind": "status", "status": 429}, "is asked too much (429"),
    ({"kind": "status", "status": 401}, "does not take NEEDLE_QDRANT_API_KEY (401"),
    ({"kind": "cut"}, "broke off"),
    ({"kind": "cut", "done": True}, "broke off"),
    ({"kind": "hang"}, "does not answer in time"),
]


@pytest.fixture
def store(stand_in: QdrantServer) -> Iterator[VectorStore]:
    """Return a store with two images, on a server that is given up after a second."""
    opened = VectorStore(Server.connect(stand_in.url, timeout_s=1))
    opened.delete_collection(NAME)
    opened.ensure_collection(NAME, DIM)
    opened.replace_images(NAME, [points("a", vectors(1, 3)), points("b", vectors(2, 3))])
    yield opened
    stand_in.mend()
    opened.close()


@pytest.mark.parametrize(("fault", "says"), FAULTS)
def test_a_fault_of_the_server_passes_and_what_was_asked_is_done_when_it_is_asked_again(
    store: VectorStore, stand_in: QdrantServer, fault: dict[str, object], says: str
) -> None:
    fewer = points("b", vectors(3, 2))
    calls: list[Callable[[], object]] = [
        lambda: store.search(NAME, vectors(1, 3)[0], limit=9),
        lambda: store.replace_images(NAME, [points("a", vectors(1, 3)), fewer]),
        lambda: store.delete_image(NAME, "a"),
        lambda: store.ensure_collection("new", DIM),
        lambda: store.delete_collection("new"),
    ]
    for call in calls:
        with stand_in.under(**fault), pytest.raises(StoreUnavailable) as caught:  # type: ignore[arg-type]
            call()
        assert says in caught.value.message
        call()
    assert {owner for owner, _ in store.owners(NAME)} == {"b"}
    assert store.counts(NAME, ["b"]) == {"b": 2}
    assert store.count("new") == 0


def test_what_the_server_will_never_take_is_refused(store: VectorStore) -> None:
    row = Row("00000000-0000-0000-0000-000000000000", vectors(1, 1)[0][:-1], {})
    with pytest.raises(StoreRefused, match=r"does not take this \(400: .*dimension"):
        store.engine.write(SHELF, [row])
    assert store.count(NAME) == 6


def test_a_search_does_not_fail_for_an_answer_that_is_lost_now_and_then(
    store: VectorStore, stand_in: QdrantServer
) -> None:
    for fault in ({"kind": "cut"}, {"kind": "status", "status": 503}):
        with stand_in.under(**fault, times=2):  # type: ignore[arg-type]
            assert len(store.search(NAME, vectors(1, 3)[0], limit=9)) == 6


def test_a_search_waits_once_for_a_server_that_hangs(
    store: VectorStore, stand_in: QdrantServer
) -> None:
    before = stand_in.struck
    with stand_in.under("hang"), pytest.raises(NoAnswer):
        store.search(NAME, vectors(1, 3)[0], limit=9)
    assert stand_in.struck == before + 1


def test_a_server_that_is_only_slow_answers(store: VectorStore, stand_in: QdrantServer) -> None:
    with stand_in.under("slow", seconds=0.3, times=1):
        assert store.state(NAME) == State(points=6)


def test_a_collection_whose_making_was_cut_off_is_made_whole(
    store: VectorStore, stand_in: QdrantServer
) -> None:
    words = WordStore(store.engine)
    point = WordsPoint("0" * 32, "a", "v1", SparseVector([1], [1.0]))
    for path in ("^PUT /collections/[^/]*$", "/index$", "/points$"):
        words.delete_collection(NAME)
        with stand_in.under("cut", done=True, path=path, times=1), suppress(StoreUnavailable):
            words.put(NAME, [point])
        words.put(NAME, [point])
        assert words.count(NAME) == 1
        told = stand_in.http.get(f"/collections/needlewords_{NAME}").json()["result"]
        assert told["payload_schema"].keys() == {"image_id", "metadata.__vocabulary"}


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_a_wrong_key_is_said_to_be_wrong_and_the_right_one_works_with_indexes_required(
    guarded: QdrantServer,
) -> None:
    for key in (None, "wrong"):
        with pytest.raises(StoreUnavailable, match="does not take NEEDLE_QDRANT_API_KEY"):
            Server.connect(guarded.url, api_key=key)
    engine = Server.connect(guarded.url, api_key="right")
    store, words = VectorStore(engine), WordStore(engine)
    store.ensure_collection(NAME, DIM)
    store.replace_images(NAME, [points("a", vectors(1, 3), shop="Basel")])
    vector = SparseVector([1], [1.0])
    words.put(NAME, [WordsPoint("0" * 32, "a", "v1", vector, {"shop": "Basel"})])
    where = (Condition("shop", values=("Basel",)),)
    assert len(store.search(NAME, vectors(1, 3)[0], limit=9, where=where)) == 3
    assert words.search(NAME, vector, vocabulary="v1", limit=3, where=where)
    engine.close()


def test_what_is_no_qdrant_server_is_said_to_be_none(stand_in: QdrantServer) -> None:
    with pytest.raises(StoreUnavailable, match=r"failed \(404: NOT FOUND"):
        Server.connect(f"{stand_in.url}/somewhere")


def test_first_points_are_written_before_all_others_and_removed_after_them(
    store: VectorStore, stand_in: QdrantServer
) -> None:
    """A server with several shards carries a call out on each for itself."""
    images = [points(name, vectors(5, 3)) for name in ("c", "d")]
    with stand_in.under("status", path="PUT .*/points$", done=True), pytest.raises(NeedleError):
        store.replace_images(NAME, images)
    assert {owner for owner, _ in store.owners(NAME)} == {"a", "b", "c", "d"}
    store.replace_images(NAME, images)
    with stand_in.under("cut", path="/delete$", done=True), pytest.raises(NeedleError):
        store.delete_image(NAME, "c")
    assert store.counts(NAME, ["c"]) == {"c": 1}
    assert store.holding(NAME, ["c"]) == {"c"}
