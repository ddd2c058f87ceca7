"""One suite over every vector store: Edge, the server adapter, a real server if there is one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge as qe

from common.contract.fields import HitSource
from common.errors import StoreUnavailable
from common.geometry import Box
from common.vectors import filters
from common.vectors.aggregate import Aggregate
from tests.contracts.engines import ENGINES, open_engine
from tests.worker.searching.test_grouping import brute_force
from worker.searching.grouping import Grouping, best_images
from worker.vectors.base import Hit, ImagePoints, Region, Vector
from worker.vectors.edge import Edge
from worker.vectors.engine import Row, Shelf, Sort
from worker.vectors.server import Server
from worker.vectors.stores import VectorStore

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
NAME = "contract"
DIM = 16


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    """Return an empty vector store on an engine of each kind."""
    opened = VectorStore(open_engine(request, tmp_path))
    opened.delete_collection(NAME)
    opened.ensure_collection(NAME, DIM)
    yield opened
    opened.close()


def vectors(seed: int, count: int) -> Vector:
    """Return random embeddings, (count, DIM), a third of them equal to others: ties."""
    made = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    made[::3] = made[0]
    normal: Vector = made / np.linalg.norm(made, axis=1, keepdims=True)
    return normal


def points(image_id: str, embeddings: Vector, **metadata: object) -> ImagePoints:
    made = tuple(
        Region(image_id, Box(n, 0, n + 9, 9), HitSource.TILE, "cat", 0.5)
        for n in range(len(embeddings))
    )
    return ImagePoints(image_id, "encoder", made, embeddings, metadata)


def regions(store: VectorStore, image_id: str) -> dict[str, Region]:
    """Return an image's regions by point id."""
    hits = store.search(NAME, vectors(9, 1)[0], limit=10_000, image_id=image_id)
    return {hit.id: hit.region for hit in hits}


def fill(store: VectorStore, images: int, each: int) -> list[ImagePoints]:
    made = vectors(1, images * each)
    written = [
        points(
            f"image{i}",
            made[i * each : (i + 1) * each],
            shop="Basel" if i % 2 else "Bern",
            year=2000 + i,
            tags=["red", "blue"] if i % 3 else ["green"],
            price=i / 2,
            even=i % 2 == 0,
        )
        for i in range(images)
    ]
    store.replace_images(NAME, written)
    return written


def test_a_region_comes_back_as_it_was_written(store: VectorStore) -> None:
    written = fill(store, 1, 1)[0]
    found = store.search(NAME, written.vectors[0], limit=1)[0]
    assert found.region == written.regions[0]
    assert found.score == pytest.approx(1.0, abs=1e-2)
    assert regions(store, "image0") == {found.id: found.region}


def test_writing_twice_changes_nothing(store: VectorStore) -> None:
    fill(store, 5, 4)
    fill(store, 5, 4)
    assert store.count(NAME) == 20


def test_replacing_an_image_leaves_no_orphan_and_no_other_image_alone(store: VectorStore) -> None:
    fill(store, 3, 4)
    fewer = points("image1", vectors(2, 2))
    store.replace_images(NAME, [fewer])
    assert sorted(regions(store, "image1").values(), key=str) == sorted(fewer.regions, key=str)
    assert store.count(NAME) == 4 + 2 + 4


def test_deleting_an_image_removes_its_points_only(store: VectorStore) -> None:
    fill(store, 3, 4)
    store.delete_image(NAME, "image1")
    store.delete_image(NAME, "image1")
    assert regions(store, "image1") == {}
    assert store.count(NAME) == 8


def test_regions_of_a_big_image_are_all_there(store: VectorStore) -> None:
    store.replace_images(NAME, [points("big", vectors(3, 700))])
    assert len(regions(store, "big")) == 700


@pytest.mark.parametrize(
    ("condition", "images"),
    [
        ({"shop": "Basel"}, {1, 3, 5}),
        ({"shop": "Bern", "year": {"gte": 2002, "lt": 2005}}, {2, 4}),
        ({"tags": "green"}, {0, 3}),
        ({"tags": ["green", "red"]}, {0, 1, 2, 3, 4, 5}),
        ({"year": 2003}, {3}),
        ({"price": 1.5}, {3}),
        ({"even": True}, {0, 2, 4}),
        ({"even": False, "year": {"gt": 2001}}, {3, 5}),
        ({"nothing": "here"}, set()),
    ],
)
def test_filters_choose_by_metadata(
    store: VectorStore, condition: dict[str, object], images: set[int]
) -> None:
    fill(store, 6, 2)
    found = store.search(NAME, vectors(4, 1)[0], limit=100, where=filters.parse(condition))
    assert {hit.region.image_id for hit in found} == {f"image{i}" for i in images}


def test_a_key_may_hold_values_of_many_kinds_and_be_asked_for_all_of_them(
    store: VectorStore,
) -> None:
    for number, value in enumerate([1, 1.5, "red", ["red", "blue"], 2, True]):
        name = f"image{number}"
        store.replace_images(NAME, [points(name, vectors(number, 1), key=value)])
    conditions = [1, {"gte": 1, "lte": 2}, "red", [1, 2], True, {"gt": 1.2, "lt": 1.8}, 1.5]
    right = [{0}, {0, 1, 4}, {2, 3}, {0, 4}, {5}, {1}, {1}]
    for order in (range(7), reversed(range(7))):  # the first filter decides on the key's index
        for number in order:
            where = filters.parse({"key": conditions[number]})
            found = store.search(NAME, vectors(4, 1)[0], limit=100, where=where)
            assert {int(hit.region.image_id[5:]) for hit in found} == right[number]


@pytest.mark.parametrize("aggregate", list(Aggregate))
@pytest.mark.parametrize(("limit", "hits_per_image"), [(1, 1), (3, 2), (7, 5), (50, 50)])
def test_grouping_equals_brute_force(
    store: VectorStore, aggregate: Aggregate, limit: int, hits_per_image: int
) -> None:
    fill(store, 12, 6)
    query = vectors(5, 2)[1]
    grouping = Grouping(limit, hits_per_image, -1.0, aggregate)

    def fetch(count: int, image_id: str | None = None) -> list[Hit]:
        return store.search(NAME, query, limit=count, image_id=image_id)

    expected = brute_force(fetch(1000), grouping)
    found = best_images(fetch, grouping)
    assert [m.image_id for m in found] == [m.image_id for m in expected]
    assert [[h.id for h in m.hits] for m in found] == [[h.id for h in m.hits] for m in expected]


def test_a_collection_that_does_not_exist_is_empty(store: VectorStore) -> None:
    assert store.search("absent", vectors(1, 1)[0], limit=5) == []
    assert store.count("absent") == 0
    store.delete_image("absent", "image0")


def test_a_deleted_collection_can_be_made_again(store: VectorStore) -> None:
    fill(store, 2, 2)
    store.delete_collection(NAME)
    assert store.count(NAME) == 0
    store.ensure_collection(NAME, DIM)
    fill(store, 1, 1)
    assert store.count(NAME) == 1


def test_edge_keeps_everything_across_a_restart(tmp_path: Path) -> None:
    store = VectorStore(Edge(tmp_path))
    store.ensure_collection(NAME, DIM)
    fill(store, 4, 4)
    store.close()
    again = VectorStore(Edge(tmp_path))
    assert again.count(NAME) == 16
    again.close()


def test_a_second_process_may_not_open_the_same_edge_store(tmp_path: Path) -> None:
    store = VectorStore(Edge(tmp_path))
    store.ensure_collection(NAME, DIM)
    with pytest.raises(StoreUnavailable, match="another process"):
        Edge(tmp_path)
    store.close()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        Server.connect("http://127.0.0.1:9")


def test_points_of_an_earlier_version_are_found_replaced_and_deleted(store: VectorStore) -> None:
    """Each told all of itself, under an id that told nothing."""
    shelf, made = Shelf(Sort.REGIONS, NAME), vectors(7, 6)
    store.engine.write(
        shelf,
        [
            Row(
                str(uuid.uuid4()),
                vector,
                {
                    "image_id": f"image{n % 2}",
                    "box": [n, 0, n + 9, 9],
                    "source": "tile",
                    "label": None,
                    "confidence": None,
                    "filename": "a.jpg",
                    "metadata": {"shop": "Basel"},
                },
            )
            for n, vector in enumerate(made)
        ],
    )
    found = store.search(NAME, made[1], limit=1)[0]
    assert found.region == Region("image1", Box(1, 0, 10, 9), HitSource.TILE, None, None)
    where = filters.parse({"shop": "Basel"})
    assert len(store.search(NAME, made[1], limit=9, where=where)) == 6
    assert len(regions(store, "image0")) == 3
    store.replace_images(NAME, [points("image0", vectors(8, 2))])
    assert (len(regions(store, "image0")), store.count(NAME)) == (2, 5)
    store.delete_image(NAME, "image1")
    assert (regions(store, "image1"), store.count(NAME)) == ({}, 2)


def test_a_shard_of_an_earlier_version_is_opened_written_and_rebuilt(tmp_path: Path) -> None:
    """It kept a log, and four bytes a number."""
    folder = tmp_path / "vectors" / NAME
    folder.mkdir(parents=True)
    dense = qe.EdgeVectorParams(size=DIM, distance=qe.Distance.Cosine)
    shard = qe.EdgeShard.create(str(folder), qe.EdgeConfig(vectors={"": dense}))
    shard.update(qe.UpdateOperation.create_field_index("image_id", qe.PayloadSchemaType.Keyword))
    shard.close()
    store = VectorStore(Edge(tmp_path))
    fill(store, 3, 4)
    assert store.engine.optimize(Shelf(Sort.REGIONS, NAME))
    fill(store, 4, 4)
    store.close()
    again = VectorStore(Edge(tmp_path))
    assert (again.count(NAME), len(regions(again, "image2"))) == (16, 4)
    again.close()


def test_points_whose_image_is_half_removed_are_passed_over(store: VectorStore) -> None:
    fill(store, 2, 3)
    shelf = Shelf(Sort.REGIONS, NAME)
    first = store.engine.of_images(shelf, ["image0"])[0]
    store.engine.delete(shelf, [first.id])
    hits = store.search(NAME, vectors(4, 1)[0], limit=9)
    assert {hit.region.image_id for hit in hits} == {"image1"}


def test_a_store_tells_how_many_points_it_has(store: VectorStore) -> None:
    assert store.state(NAME).points == 0
    fill(store, 2, 3)
    state = store.state(NAME)
    assert state.points == state.indexed + state.pending == 6
    assert store.state("absent").points == 0
