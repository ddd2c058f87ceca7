"""The way of a batch from an index worker to the owner of the vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from common.errors import StoreRefused
from common.jobs import Status
from tests.worker.conftest import World, noise, png
from worker.indexing.batch import Batch
from worker.indexing.handover import Forwarder, handover_key
from worker.tasks import run_commit
from worker.vectors.base import ImagePoints
from worker.vectors.stores import VectorStore


def handed_over(world: World) -> World:
    """Return a worker that hands its batches over, of as many images as there are."""
    world.indexing.pace.note("balanced", 32, 0.0)
    return world.committing_with(Forwarder(world.base.images, world.base.queue))


def test_a_batch_comes_back_from_its_file_as_it_was(world: World) -> None:
    world.post(png(noise(1)), png(noise(2)))
    handed_over(world).index()
    content = world.base.images.open(handover_key("job", 0))
    batch = Batch.from_bytes(content)
    assert len(batch.images) == 2
    assert batch.embeddings.dtype == np.float32
    again = Batch.from_bytes(batch.to_bytes())
    assert again.images == batch.images
    assert np.array_equal(again.embeddings, batch.embeddings)


def test_the_items_end_only_when_the_owner_has_written(world: World) -> None:
    world.post(png(noise(1)))
    assert handed_over(world).index().status is Status.STARTED
    key = handover_key("job", 0)
    run_commit(world.writer, key)
    assert world.base.jobs.get("job").status is Status.SUCCEEDED
    assert not world.base.images.exists(key)


def test_a_task_that_runs_twice_on_either_side_changes_nothing(world: World) -> None:
    world.post(png(noise(1)))
    forwarding = handed_over(world)
    forwarding.index()
    forwarding.index()
    for _ in range(3):
        run_commit(world.writer, handover_key("job", 0))
    forwarding.index()
    assert world.writer.store.count("default") == 7
    assert world.base.jobs.get("job").done == 1
    assert not world.base.images.exists(handover_key("job", 0))


class Picky:
    """A vector store that does not take one image."""

    def __init__(self, store: VectorStore, refused: str) -> None:
        self._store = store
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        """Do everything else as the store does."""
        return getattr(self._store, name)

    def replace_images(self, collection: str, images: Sequence[ImagePoints]) -> None:
        """Raise StoreRefused for the image."""
        if self._refused in [image.image_id for image in images]:
            raise StoreRefused("not this one")
        self._store.replace_images(collection, images)


def test_an_image_whose_points_the_store_refuses_fails_alone(world: World) -> None:
    names = world.post(png(noise(1)), png(noise(2)), png(noise(3)))
    handed_over(world).index()
    picky: Any = Picky(world.writer.store, names[1])
    run_commit(replace(world.writer, store=picky), handover_key("job", 0))
    assert world.statuses() == ["indexed", "failed", "indexed"]
    error = world.base.jobs.items("job", offset=1, limit=1)[0].error
    assert error is not None and error["code"] == "store_refused"
    assert world.writer.store.count("default") == 14


def test_a_batch_of_a_cancelled_job_is_dropped(world: World) -> None:
    world.post(png(noise(1)))
    handed_over(world).index()
    world.base.jobs.cancel("job")
    run_commit(world.writer, handover_key("job", 0))
    assert world.writer.store.count("default") == 0
