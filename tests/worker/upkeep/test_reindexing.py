"""A whole collection is indexed again, by another encoder as well."""

from __future__ import annotations

import json

import pytest

from common.contract.requests import MakingFields
from common.errors import EncoderMismatch, NotFound
from common.jobs import Job, Status
from common.services import Services
from tests.fakes import KindsEncoder, PixelEncoder
from tests.worker.conftest import World, noise, png, sent
from web.upkeep import begin_reindexing
from worker.tasks import run_index
from worker.upkeep.reindexing import reindex

pytestmark = [
    pytest.mark.usefixtures("engine"),
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
PHOTOS = [png(noise(n)) for n in range(3)]


@pytest.fixture
def indexed(world: World) -> World:
    """Return a worker with three images indexed."""
    use(world, PixelEncoder())
    world.post(*PHOTOS, metadata={"shop": "Basel"})
    assert world.index().status is Status.SUCCEEDED
    return world


def use(world: World, encoder: PixelEncoder) -> World:
    """Return the worker with that encoder, which it has told of."""
    told = {"encoder": encoder.id, "dim": encoder.dim}
    world.base.redis.hset("needle:models", "index", json.dumps(told))
    return world.indexing_by(encoder).searching_by(encoder)


def begin(world: World, **fields: object) -> str:
    services: Services = world.base
    job_id = begin_reindexing(services, "default", MakingFields.model_validate(fields))
    assert sent(world.base.redis, "upkeep") == [{"job_id": job_id}]
    return job_id


def finish(world: World, job_id: str) -> Job:
    for task in sent(world.base.redis, "index"):
        run_index(world.base, world.indexing, job_id, range(task["first"], task["last"] + 1))
    return world.base.jobs.get(job_id)


@pytest.mark.parametrize("times", [1, 2])
def test_another_encoder_takes_over_and_images_keep_what_they_are(
    indexed: World, times: int
) -> None:
    catalogue = indexed.base.catalogue
    before = {r.image_id: (r.filename, r.metadata) for r in catalogue.every("default")}
    words = indexed.writer.words.count("default")
    other = use(indexed, KindsEncoder())
    with pytest.raises(EncoderMismatch):
        catalogue.bind("default", encoder=KindsEncoder.id, dim=KindsEncoder.dim)
    job_id = begin(other)
    for _ in range(times):  # as a task that is delivered again
        reindex(other.base, other.writer, job_id)
    job = finish(other, job_id)
    assert (job.status, job.done) == (Status.SUCCEEDED, 3)
    assert set(other.statuses(job_id)) == {"indexed"}
    bound = catalogue.collection("default")
    assert bound is not None and (bound.encoder, bound.dim) == (KindsEncoder.id, KindsEncoder.dim)
    assert {r.image_id: (r.filename, r.metadata) for r in catalogue.every("default")} == before
    assert (
        other.writer.store.count("default") == 21 and other.writer.words.count("default") == words
    )
    found = other.search(noise(1), limit=1, filter={"shop": "Basel"}).result["matches"][0]
    assert found["image_id"] == other.base.jobs.pick("job", [1])[0].image_id


def test_by_the_same_encoder_it_stays_findable_meanwhile(indexed: World) -> None:
    job_id = begin(indexed, local_features=0)
    reindex(indexed.base, indexed.writer, job_id)
    assert indexed.writer.store.count("default") == 21
    assert finish(indexed, job_id).status is Status.SUCCEEDED
    assert indexed.writer.store.count("default") == 21
    assert indexed.writer.words.count("default") == 0


def test_a_cancelled_job_drops_nothing(indexed: World) -> None:
    other = use(indexed, KindsEncoder())
    job_id = begin(other)
    other.base.jobs.cancel(job_id)
    reindex(other.base, other.writer, job_id)
    bound = other.base.catalogue.collection("default")
    assert bound is not None and bound.encoder == PixelEncoder.id
    assert other.writer.store.count("default") == 21 and not sent(other.base.redis, "index")


def test_a_collection_that_is_not_there_or_empty_is_refused(world: World) -> None:
    use(world, PixelEncoder())
    services: Services = world.base
    with pytest.raises(NotFound, match="no collection"):
        begin_reindexing(services, "default", MakingFields())
    world.base.catalogue.bind("default", encoder="e", dim=4)
    with pytest.raises(NotFound, match="no images"):
        begin_reindexing(services, "default", MakingFields())
