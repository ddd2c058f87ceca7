"""Qdrant Edge's index, rebuilt beside itself: nothing is lost, whatever is killed and when."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from common.contract.fields import HitSource
from common.geometry import Box
from common.vectors import filters
from worker.vectors.base import ImagePoints, Region, Vector
from worker.vectors.edge import Edge, folders
from worker.vectors.edge.shelf import EdgeShelf
from worker.vectors.engine import Shelf, Sort
from worker.vectors.stores import VectorStore

NAME, DIM, EACH = "rebuilt", 256, 100
SHELF = Shelf(Sort.REGIONS, NAME)
Process = subprocess.Popen[bytes]


def vectors(seed: int, count: int = EACH) -> Vector:
    made = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    normal: Vector = made / np.linalg.norm(made, axis=1, keepdims=True)
    return normal


def image(seed: int, count: int = EACH) -> ImagePoints:
    name = f"image{seed}"
    regions = [Region(name, Box(n, 0, n + 9, 9), HitSource.TILE, None, None) for n in range(count)]
    return ImagePoints(name, "encoder", regions, vectors(seed, count), {"seed": seed})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VectorStore]:
    """Return a store of enough points for an index."""
    opened = VectorStore(Edge(tmp_path))
    opened.ensure_collection(NAME, DIM)
    opened.replace_images(NAME, [image(seed) for seed in range(10)])
    yield opened
    opened.close()


def shelf_of(store: VectorStore) -> EdgeShelf:
    assert isinstance(store.engine, Edge)
    return store.engine.shelf(SHELF)


def found(store: VectorStore, seed: int, count: int = EACH) -> list[tuple[str, int]]:
    """Return the image and the place of what is nearest to some of an image's regions."""
    hits = [
        store.search(NAME, vector, limit=1, exact=exact)[0].region
        for vector in vectors(seed, count)[:3]
        for exact in (True, False)
    ]
    return [(region.image_id, region.box.x1) for region in hits]


def right(seed: int) -> list[tuple[str, int]]:
    return [(f"image{seed}", place) for place in (0, 0, 1, 1, 2, 2)]


def during(act: Callable[[], object]) -> Callable[[Path], Process]:
    """Return a build during which something happens."""

    def build(folder: Path) -> Process:
        act()
        command = [sys.executable, "-m", "worker.vectors.edge.build", str(folder)]
        return subprocess.Popen(command)

    return build


def test_an_index_is_built_and_answers_alike(store: VectorStore) -> None:
    assert store.state(NAME).pending == 10 * EACH
    assert store.engine.optimize(SHELF)
    state = store.state(NAME)
    assert (state.points, state.pending, state.optimizing) == (10 * EACH, 0, False)
    for seed in (0, 9):
        assert found(store, seed) == right(seed)
    where = filters.parse({"seed": 3})
    hits = store.search(NAME, vectors(0)[0], limit=9, where=where, exact=False)
    assert {hit.region.image_id for hit in hits} == {"image3"}


def test_what_is_written_meanwhile_is_there_afterwards(store: VectorStore) -> None:
    seen: list[bool] = []

    def meanwhile() -> None:
        seen.append(store.state(NAME).optimizing)
        store.replace_images(NAME, [image(20), image(1, count=7)])
        store.delete_image(NAME, "image2")
        store.search(NAME, vectors(0)[0], limit=1, where=filters.parse({"seed": 1}))
        assert found(store, 20) == right(20)

    assert shelf_of(store).rebuild(during(meanwhile))
    assert seen == [True]
    assert store.count(NAME) == 10 * EACH + EACH - (EACH - 7) - EACH
    assert found(store, 20) == right(20)
    where = filters.parse({"seed": 1})
    hits = store.search(NAME, vectors(0)[0], limit=99, where=where)
    assert {hit.region.box.x1 for hit in hits} == set(range(7))
    assert "image2" not in {
        hit.region.image_id for hit in store.search(NAME, vectors(2)[0], limit=99)
    }
    assert 0 < store.state(NAME).pending <= EACH + 7


def test_a_build_that_is_killed_leaves_all_as_it_was(store: VectorStore, tmp_path: Path) -> None:
    def killed(folder: Path) -> Process:
        process = during(lambda: None)(folder)
        process.kill()
        return process

    assert not shelf_of(store).rebuild(killed)
    assert found(store, 4) == right(4)
    assert [path.name for path in (tmp_path / "vectors").iterdir() if path.is_dir()] == [NAME]
    assert store.engine.optimize(SHELF), "and it can be tried again"


def test_the_rebuilt_shard_is_opened_next_time(store: VectorStore, tmp_path: Path) -> None:
    for _ in range(2):
        store.engine.optimize(SHELF)
        store.replace_images(NAME, [image(30)])
    store.close()
    again = VectorStore(Edge(tmp_path))
    assert found(again, 30) == right(30)
    assert again.state(NAME).indexed >= 10 * EACH
    assert [path.name for path in (tmp_path / "vectors").iterdir() if path.is_dir()] == [
        f"{NAME}.2"
    ]
    again.close()


def test_a_collection_deleted_while_it_is_rebuilt_stays_deleted(
    store: VectorStore, tmp_path: Path
) -> None:
    shelf = shelf_of(store)
    assert not shelf.rebuild(during(lambda: store.delete_collection(NAME)))
    assert store.count(NAME) == 0
    assert not [path for path in (tmp_path / "vectors").iterdir() if path.is_dir()]


def test_folders_that_never_counted_are_removed(tmp_path: Path) -> None:
    names = ["a", "a.1", "a.2", "b", "b.1", "c.3"]
    for name in names:
        (tmp_path / name).mkdir()
    for name in ("a.1", "c.3"):
        folders.count(tmp_path / name)
    found = folders.settled(tmp_path)
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        "a": ["a.1", "a"],  # the former goes when the one that counts is open
        "b": ["b"],
        "c": ["c.3"],
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.1", "b", "c.3"]


KILLED = """
import os, sys, threading, time
from pathlib import Path
sys.path.insert(0, {repository!r})
from tests.contracts.test_edge_rebuild import *
store = VectorStore(Edge(Path({root!r})))
threading.Thread(target=store.engine.optimize, args=(SHELF,), daemon=True).start()
for seed in range(100, 10_000):
    store.replace_images(NAME, [image(seed)])
    print(seed, flush=True)
"""


def test_the_owner_killed_while_it_writes_and_rebuilds_loses_nothing_it_has_told(
    store: VectorStore, tmp_path: Path
) -> None:
    store.close()
    repository = str(Path(__file__).parents[2])
    script = KILLED.format(repository=repository, root=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=repository
    ) as owner:
        assert owner.stdout is not None
        told = [int(owner.stdout.readline()) for _ in range(4)]
        owner.kill()
        told += [int(line) for line in owner.stdout]
    again = VectorStore(Edge(tmp_path))
    for seed in (0, 9, *told):
        assert found(again, seed) == right(seed)
        assert len(again.search(NAME, vectors(0)[0], limit=9999, image_id=f"image{seed}")) == EACH
    again.replace_images(NAME, [image(told[-1] + 1)])
    assert found(again, told[-1] + 1) == right(told[-1] + 1)
    again.close()
