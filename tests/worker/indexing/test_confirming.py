"""What is unchanged is there; what is not there any more is indexed again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.images import local_key, regions_key, thumbnail_key
from common.jobs import Status
from tests.worker.conftest import World, noise, png, sent
from worker.indexing.confirming import Asker
from worker.tasks import run_index

pytestmark = [
    pytest.mark.usefixtures("engine"),
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
PHOTOS = [png(noise(n)) for n in range(4)]


@pytest.fixture
def indexed(world: World) -> tuple[World, list[str]]:
    """Return a worker with four images indexed, and their ids."""
    names = world.post(*PHOTOS)
    assert world.index().status is Status.SUCCEEDED
    return world, names


def _post_again(world: World) -> list[str]:
    """Post the same images, run every task that comes of it, and return how the items ended."""
    world.post(*PHOTOS, job_id="again")
    world.index("again")
    for task in sent(world.base.redis, "index"):
        run_index(world.base, world.indexing, "again", range(task["first"], task["last"] + 1))
    assert world.base.jobs.get("again").status is Status.SUCCEEDED
    return world.statuses("again")


LOSSES: dict[str, Callable[[World, str], None]] = {
    "points": lambda world, name: world.writer.store.delete_image("default", name),
    "words": lambda world, name: world.writer.words.delete_image("default", name),
    "thumbnail": lambda world, name: world.base.images.delete(thumbnail_key("default", name)),
    "local features": lambda world, name: world.base.images.delete(local_key("default", name)),
    "regions": lambda world, name: world.base.images.delete(regions_key("default", name)),
}


@pytest.mark.parametrize("lost", LOSSES)
def test_an_image_of_which_something_is_missing_is_indexed_again(
    indexed: tuple[World, list[str]], lost: str
) -> None:
    world, names = indexed
    before = world.writer.store.count("default"), world.writer.words.count("default")
    for name in (names[0], names[2], names[3]):
        LOSSES[lost](world, name)
    assert _post_again(world) == ["indexed", "unchanged", "indexed", "indexed"]
    assert (world.writer.store.count("default"), world.writer.words.count("default")) == before
    assert world.base.images.exists(thumbnail_key("default", names[0]))
    assert world.base.images.exists(local_key("default", names[0]))
    assert world.base.images.exists(regions_key("default", names[0]))
    assert world.base.catalogue.count("default") == 4


def test_after_the_vectors_are_gone_all_is_found_again(indexed: tuple[World, list[str]]) -> None:
    world, names = indexed
    world.writer.store.delete_collection("default")
    world.writer.words.delete_collection("default")
    assert _post_again(world) == ["indexed"] * 4
    result = world.search(noise(2), limit=1).result
    assert result["matches"][0]["image_id"] == names[2]


def test_the_owner_of_the_vectors_answers_for_a_worker_beside_it(
    indexed: tuple[World, list[str]],
) -> None:
    world, names = indexed
    world.writer.store.delete_image("default", names[1])
    beside = world.confirming_with(Asker(world.base.queue))
    beside.post(*PHOTOS, job_id="again")
    assert beside.index("again").status is Status.STARTED
    (task,) = sent(world.base.redis, "store")
    for _ in range(2):  # as a task that is delivered again
        world.base.owner(world.writer).confirm("again", "default", dict(task["images"]))
    assert world.statuses("again") == ["unchanged", "queued", "unchanged", "unchanged"]
    assert sent(world.base.redis, "index")[0] == {"job_id": "again", "first": 1, "last": 1}


def test_an_image_that_was_deleted_meanwhile_is_not_unchanged(
    indexed: tuple[World, list[str]],
) -> None:
    world, names = indexed
    world.post(*PHOTOS, job_id="again")
    world.base.jobs.start("again")
    world.base.catalogue.remove("default", names[0])
    world.base.owner(world.writer).confirm("again", "default", dict(enumerate(names)))
    run_index(world.base, world.indexing, "again", range(4))
    assert world.statuses("again") == ["failed", "unchanged", "unchanged", "unchanged"]


def test_words_are_asked_for_only_where_there_were_any(world: World) -> None:
    world.post(*PHOTOS, local_features=0)
    world.index()
    world.post(*PHOTOS, job_id="again", local_features=0)
    world.index("again")
    assert world.statuses("again") == ["unchanged"] * 4
