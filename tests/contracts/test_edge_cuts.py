"""Qdrant Edge's folders, cut off at every step of making and removing them: what was whole is found
again, a shard can be made in the same place, and what cannot be opened stops nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qdrant_edge as qe

from common.contract.fields import HitSource
from common.errors import StoreUnavailable
from common.geometry import Box
from worker.vectors.base import ImagePoints, Region, Vector
from worker.vectors.edge import Edge, folders
from worker.vectors.edge import opening as edge_opening
from worker.vectors.edge.shelf import EdgeShelf
from worker.vectors.engine import Engine, Sort
from worker.vectors.stores import VectorStore

DIM, EACH = 16, 40
CUT, OTHER = "cut", "other"


class Killed(BaseException):
    """The process ends here."""


def vectors(seed: int) -> Vector:
    made = np.random.default_rng(seed).standard_normal((EACH, DIM)).astype(np.float32)
    normal: Vector = made / np.linalg.norm(made, axis=1, keepdims=True)
    return normal


def image(seed: int) -> ImagePoints:
    name = f"image{seed}"
    regions = [Region(name, Box(n, 0, n + 9, 9), HitSource.TILE, None, None) for n in range(EACH)]
    return ImagePoints(name, "encoder", regions, vectors(seed), {})


def fill(store: VectorStore, collection: str, seed: int) -> None:
    store.ensure_collection(collection, DIM)
    store.replace_images(collection, [image(seed)])


def holds(store: VectorStore, collection: str, seed: int) -> bool:
    hits = store.search(collection, vectors(seed)[3], limit=1)
    return [(hit.region.image_id, hit.region.box.x1) for hit in hits] == [(f"image{seed}", 3)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with two collections of one image each."""
    root = tmp_path_factory.mktemp("template")
    store = VectorStore(Edge(root))
    fill(store, CUT, 1)
    fill(store, OTHER, 2)
    store.close()
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return copy(template, tmp_path / "data")


def copy(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


def everything_in(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder in the order in which it is removed."""
    for top, names, files in os.walk(folder, topdown=False):
        yield from (Path(top, name) for name in sorted([*files, *names]))


def delete(path: Path) -> None:
    path.rmdir() if path.is_dir() else path.unlink()


def every_second(steps: int) -> list[int]:
    """Return where to cut: every second step is time enough, and both ends."""
    return [*range(0, steps, 2), steps]


def cut_after(steps: int) -> Callable[..., None]:
    """Return a removal of a folder that is killed after so many of its files and folders."""

    def rmtree(folder: Path, **_: Any) -> None:
        for path in list(everything_in(folder))[:steps]:
            delete(path)
        raise Killed

    return rmtree


def give_up(engine: Engine) -> None:
    """Let go of an engine as a process that is killed does."""
    engine.close()


def whole_again(root: Path) -> None:
    """Open the folder as the next process does, and make the collection that was cut once more."""
    store = VectorStore(Edge(root))
    assert holds(store, OTHER, 2)
    assert store.engine.aside() == []
    assert store.count(CUT) in (0, EACH)
    assert holds(store, CUT, 1) == bool(store.count(CUT))
    fill(store, CUT, 3)
    assert holds(store, CUT, 3)
    store.close()
    home = root / Sort.REGIONS.value
    assert sorted(path.name for path in home.iterdir() if path.is_dir()) == [CUT, OTHER]


def test_a_removal_cut_off_anywhere(template: Path, root: Path) -> None:
    steps = len(list(everything_in(template / Sort.REGIONS.value / CUT)))
    assert steps > 30
    for cut in every_second(steps):
        copy(template, root)
        store = VectorStore(Edge(root))
        with pytest.MonkeyPatch.context() as patched, pytest.raises(Killed):
            patched.setattr(shutil, "rmtree", cut_after(cut))
            store.delete_collection(CUT)
        give_up(store.engine)
        whole_again(root)


def test_a_making_cut_off_anywhere(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = VectorStore(Edge(root))
    store.delete_collection(CUT)
    store.close()
    template, made = copy(root, tmp_path / "template"), tmp_path / "made"
    EdgeShelf.make(made, DIM).close()
    steps = len(list(everything_in(made)))

    class Cut:
        """The engine, killed while it makes a shard."""

        left = 0

        @staticmethod
        def create(folder: str, _: Any) -> None:
            copy(made, Path(folder))
            for path in list(everything_in(Path(folder)))[: steps - Cut.left]:
                delete(path)
            raise Killed

    for cut in every_second(steps):
        copy(template, root)
        store = VectorStore(Edge(root))
        Cut.left = cut
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(qe, "EdgeShard", Cut)
            store.ensure_collection(CUT, DIM)
        give_up(store.engine)
        whole_again(root)


def test_what_an_earlier_version_left_half_made_or_half_removed_stops_nothing(
    template: Path, root: Path
) -> None:
    removed = list(everything_in(template / Sort.REGIONS.value / CUT))
    for cut in range(1, len(removed) + 1, 3):
        copy(template, root)
        for path in removed[:cut]:
            delete(root / path.relative_to(template))
        store = VectorStore(Edge(root))
        assert holds(store, OTHER, 2)
        fill(store, CUT, 3)
        assert holds(store, CUT, 3)
        store.close()


@pytest.mark.parametrize(("file", "content"), [("segment.json", "{"), ("status.dat", "")])
def test_a_shard_that_cannot_be_opened_is_set_aside_kept_and_named(
    root: Path, file: str, content: str
) -> None:
    home = root / Sort.REGIONS.value
    for damaged in (home / CUT).rglob(file):  # the engine raises for one, and panics for the other
        damaged.write_text(content)
    files = {path.relative_to(home / CUT) for path in (home / CUT).rglob("*")}
    store = VectorStore(Edge(root))
    (name,) = store.engine.aside()
    assert name.startswith(f"vectors/{CUT}{folders.ASIDE}")
    kept = {path.relative_to(root / name) for path in (root / name).rglob("*")}
    assert {path.name for path in files - kept} <= {"tracker_journal.dat"}, "the engine's own doing"
    assert holds(store, OTHER, 2)
    assert store.count(CUT) == 0
    fill(store, CUT, 3)
    store.delete_collection(CUT)
    store.close()
    again = Edge(root)
    assert again.aside() == [name], "and it stays"
    again.close()


def test_where_a_rebuilt_shard_cannot_be_opened_the_one_before_it_is(root: Path) -> None:
    home = root / Sort.REGIONS.value
    (home / f"{CUT}.1").mkdir()
    folders.count(home / f"{CUT}.1")
    store = VectorStore(Edge(root))
    assert holds(store, CUT, 1)
    assert len(store.engine.aside()) == 1
    store.close()


def test_a_removal_cut_off_brings_no_former_shard_back(root: Path) -> None:
    home = root / Sort.REGIONS.value
    (home / CUT).rename(home / f"{CUT}.1")
    folders.count(home / f"{CUT}.1")
    store = VectorStore(Edge(root))
    shutil.copytree(home / OTHER, home / CUT)  # as if its place had been taken a moment ago
    with pytest.MonkeyPatch.context() as patched, pytest.raises(Killed):
        patched.setattr(shutil, "rmtree", cut_after(0))
        store.delete_collection(CUT)
    give_up(store.engine)
    store = VectorStore(Edge(root))
    assert holds(store, CUT, 1), "the one that counts goes last"
    store.delete_collection(CUT)
    assert not [path for path in home.iterdir() if path.name.startswith(CUT)]
    store.close()


@pytest.mark.parametrize("words", ["No space left on device (os error 28)", "Too many open files"])
def test_a_machine_at_fault_sets_no_shard_aside(
    root: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    def full(folder: Path) -> EdgeShelf:
        raise Exception(f"Service runtime error: IO Error: {words}")

    with monkeypatch.context() as patched:
        patched.setattr(edge_opening.EdgeShelf, "open", full)
        with pytest.raises(StoreUnavailable):
            Edge(root)
    store = VectorStore(Edge(root))
    assert store.engine.aside() == [] and holds(store, CUT, 1)
    store.close()
