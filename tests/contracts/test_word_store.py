"""One suite over every word store: Edge, the server adapter, a real server if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from common.contract.fields import HitSource
from common.geometry import Box
from common.vectors import filters
from tests.contracts.engines import ENGINES, open_engine
from worker.vectors.base import ImagePoints, Region
from worker.vectors.edge import Edge
from worker.vectors.ids import words_id
from worker.vectors.stores import VectorStore, WordStore
from worker.vectors.words import SparseVector, WordsPoint

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
NAME = "contract"


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WordStore]:
    """Return an empty word store on an engine of each kind."""
    opened = WordStore(open_engine(request, tmp_path))
    opened.delete_collection(NAME)
    yield opened
    opened.close()


def point(name: str, *words: int, vocabulary: str = "v1", **metadata: object) -> WordsPoint:
    vector = SparseVector(words, [1.0] * len(words))
    return WordsPoint(words_id(name), name, vocabulary, vector, metadata)


def found(store: WordStore, *words: int, vocabulary: str = "v1", **where: object) -> list[str]:
    hits = store.search(
        NAME,
        SparseVector(words, [1.0] * len(words)),
        vocabulary=vocabulary,
        limit=10,
        where=filters.parse(where),
    )
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return [hit.image_id for hit in hits]


def test_images_come_by_how_many_words_they_share(store: WordStore) -> None:
    store.put(NAME, [point("a", 1, 2, 3, 2**20), point("b", 3, 4, 2**20), point("c", 7, 8)])
    assert found(store, 1, 2, 2**20) == ["a", "b"]
    assert found(store, 99) == []


def test_a_rare_word_counts_for_more_than_one_that_all_have(store: WordStore) -> None:
    store.put(NAME, [point(f"image{n}", 1, 2) for n in range(9)] + [point("rare", 2, 5)])
    assert found(store, 1, 5)[0] == "rare"


def test_words_written_again_replace_the_old_ones(store: WordStore) -> None:
    for _ in range(2):
        store.put(NAME, [point("a", 1, 2), point("b", 3)])
    assert store.count(NAME) == 2
    store.put(NAME, [point("a", 5)])
    assert (found(store, 1), found(store, 5), store.count(NAME)) == ([], ["a"], 2)


def test_a_deleted_image_has_no_words(store: WordStore) -> None:
    store.put(NAME, [point("a", 1), point("b", 1)])
    store.delete_image(NAME, "a")
    store.delete_image(NAME, "a")
    assert found(store, 1) == ["b"]


def test_words_of_another_vocabulary_are_not_compared(store: WordStore) -> None:
    store.put(NAME, [point("old", 1, vocabulary="v0"), point("new", 1)])
    assert found(store, 1) == ["new"]


def test_filters_hold_truth_values_too(store: WordStore) -> None:
    store.put(NAME, [point("a", 1, year=2000, even=True), point("b", 1, year=2001, even=False)])
    assert found(store, 1, year={"gte": 2001}) == ["b"]
    assert found(store, 1, even=True) == ["a"]


def test_a_collection_that_does_not_exist_has_no_words(store: WordStore) -> None:
    store.delete_image("nothing", "a")
    assert store.count("nothing") == 0
    vector = SparseVector([1], [1.0])
    assert store.search("nothing", vector, vocabulary="v1", limit=3) == []
    store.delete_collection("nothing")


def test_an_edge_store_keeps_its_words_when_it_is_opened_again(tmp_path: Path) -> None:
    first = WordStore(Edge(tmp_path))
    first.put(NAME, [point("a", 1)])
    first.close()
    again = WordStore(Edge(tmp_path))
    assert found(again, 1) == ["a"]
    again.close()


def test_the_words_of_an_image_and_its_regions_share_an_engine_and_nothing_else(
    store: WordStore,
) -> None:
    regions = VectorStore(store.engine)
    regions.delete_collection(NAME)
    regions.ensure_collection(NAME, 2)
    region = Region("a", Box(0, 0, 9, 9), HitSource.WHOLE, None, None)
    vectors = np.array([[1, 0]], np.float32)
    regions.replace_images(NAME, [ImagePoints("a", "encoder", [region], vectors)])
    store.put(NAME, [point("a", 1), point("b", 2)])
    assert (regions.count(NAME), store.count(NAME)) == (1, 2)
    store.delete_image(NAME, "a")
    assert (regions.count(NAME), store.count(NAME)) == (1, 1)
    regions.delete_collection(NAME)
    assert (regions.count(NAME), store.count(NAME)) == (0, 1)
