"""The commit: nothing of an image is written before it, and all of it there."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import StoreUnavailable
from common.images import image_key, local_key, regions_key, thumbnail_key
from common.jobs import Status
from tests.textures import texture
from tests.worker.conftest import World, noise, png
from worker.indexing.batch import Batch
from worker.indexing.handover import Forwarder, handed_over, handover_key
from worker.tasks import run_commit


def files_of(world: World) -> set[str]:
    """Return the names of all files that the image store keeps of images."""
    root = Path(world.base.settings.data_dir, "images")
    return {path.name for path in root.rglob("*") if path.is_file()}


class Away:
    """A committer whose store is away."""

    def commit(self, batch: Batch) -> None:
        """Raise."""
        raise StoreUnavailable("away")


class Failing:
    """A store of which one method fails."""

    def __init__(self, store: Any, method: str) -> None:
        self._store, self._method = store, method

    def __getattr__(self, name: str) -> Any:
        """Do everything else as the store does."""
        if name == self._method:
            raise StoreUnavailable("away")
        return getattr(self._store, name)


def test_a_commit_that_fails_leaves_nothing_but_the_image(world: World) -> None:
    world.post(png(texture(1)))
    with pytest.raises(StoreUnavailable):
        world.committing_with(Away()).index()
    assert files_of(world) == {"photo"}
    assert world.writer.store.count("default") == 0
    assert world.base.catalogue.count("default") == 0


@pytest.mark.parametrize(
    ("part", "method"),
    [("store", "ensure_collection"), ("store", "replace_images"), ("words", "put")],
)
def test_a_writer_whose_vectors_are_away_writes_no_file(
    world: World, part: str, method: str
) -> None:
    world.post(png(texture(1)))
    broken: Any = Failing(getattr(world.writer, part), method)
    writer = replace(world.writer, **{part: broken})
    with pytest.raises(StoreUnavailable):
        world.committing_with(writer).index()
    assert files_of(world) == {"photo"}
    assert world.base.catalogue.count("default") == 0
    world.index()
    assert world.statuses() == ["indexed"]
    assert files_of(world) == {"photo", "thumbnail.jpg", "local.bin", "regions.bin"}


def test_a_batch_that_waits_for_its_owner_has_written_nothing(world: World) -> None:
    (name,) = world.post(png(texture(1)))
    world.committing_with(Forwarder(world.base.images, world.base.queue)).index()
    assert files_of(world) == {"photo"}
    run_commit(world.writer, handover_key("job", 0))
    assert world.base.images.open(thumbnail_key("default", name))[:2] == b"\xff\xd8"
    assert world.base.images.open(local_key("default", name))[:4] == b"NLF3"


def test_a_cancelled_job_leaves_no_file(world: World) -> None:
    world.post(png(texture(1)))
    world.committing_with(Forwarder(world.base.images, world.base.queue)).index()
    world.base.jobs.cancel("job")
    run_commit(world.writer, handover_key("job", 0))
    assert files_of(world) == {"photo"}


def test_a_collection_of_another_encoder_fails_the_job_and_gets_no_file(world: World) -> None:
    world.base.catalogue.bind("default", encoder="another", dim=3)
    world.post(png(noise(1)), png(noise(2)), batch_size=1)
    job = world.index()
    assert job.status is Status.FAILED and job.error is not None
    assert job.error["code"] == "encoder_mismatch"
    assert files_of(world) == {"photo"}


def older(content: bytes, *, words: bool) -> bytes:
    """Return a batch's file as an earlier version left it: what it had not, is not there."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        head = json.loads(arrays["head"].tobytes())
        kept = {name: arrays[name] for name in ("embeddings", *(["words"] if words else []))}
    for image in head["images"]:
        del image["thumbnail_bytes"], image["keypoints_bytes"]
        if not words:
            del image["words"]
    if not words:
        del head["vocabulary"]
    buffer = io.BytesIO()
    np.savez(buffer, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **kept)
    return buffer.getvalue()


@pytest.mark.parametrize("words", [True, False])
def test_a_batch_of_an_earlier_version_is_written_with_the_files_it_had_left(
    world: World, words: bool
) -> None:
    (name,) = world.post(png(texture(1)))
    world.committing_with(Forwarder(world.base.images, world.base.queue)).index()
    images, key = world.base.images, handover_key("job", 0)
    images.put(key, older(images.open(key), words=words))
    for file in (thumbnail_key, local_key):
        images.put(file("default", name), b"written at loading")
    run_commit(world.writer, key)
    assert world.statuses() == ["indexed"]
    assert images.open(thumbnail_key("default", name)) == b"written at loading"
    assert images.exists(local_key("default", name)) == words
    assert images.exists(regions_key("default", name))
    assert images.exists(image_key("default", name))
    assert world.writer.words.count("default") == int(words)


def test_a_batch_that_was_written_is_handed_over_once(world: World) -> None:
    assert handed_over(world.base.images, handover_key("job", 0)) is None
