"""Indexing: every image ends once, whatever is wrong with its neighbours or happens meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from PIL import Image

from common.contract.orders import IndexOrder
from common.errors import StoreUnavailable
from common.images import image_key, regions_key, thumbnail_key
from common.jobs import Item, Kind, Status
from common.paging import Place
from tests.fakes import FixedDetector, PixelEncoder
from tests.worker.conftest import World, noise, png
from worker.attempts import ATTEMPTS_PER_ITEM, TRUSTED_ATTEMPTS
from worker.indexing.batch import Batch
from worker.models.base import Detection, Embeddings

CAT = Detection(16, 12, 80, 60, "cat", 0.9)


def test_an_image_gets_its_regions_its_thumbnail_and_its_place_in_the_list(world: World) -> None:
    (name,) = world.post(png(noise(1)), metadata={"shop": "Basel"})
    job = world.with_detections(CAT).index()
    assert (job.status, world.statuses()) == (Status.SUCCEEDED, ["indexed"])
    regions = world.regions(name)
    assert len(regions) == 1 + 1 + 6
    cat = next(region for region in regions if region.label == "cat")
    assert cat.confidence == 0.9
    assert len(world.regions(name, shop="Basel")) == len(regions)
    record = world.base.catalogue.page("default", Place(), 9).rows[0]
    assert (record.image_id, record.regions) == (name, 8)
    assert world.base.images.exists(thumbnail_key("default", name))
    assert world.base.images.exists(regions_key("default", name))


def test_posting_again_changes_nothing(world: World) -> None:
    images = [png(noise(n)) for n in range(3)]
    world.post(*images)
    world.index()
    world.post(*images, job_id="again")
    assert world.index("again").status is Status.SUCCEEDED
    assert world.statuses("again") == ["unchanged"] * 3
    assert world.base.catalogue.count("default") == 3


def test_other_options_index_again_and_leave_no_orphan(world: World) -> None:
    world = world.with_detections(CAT)
    (name,) = world.post(png(noise(1)))
    world.index()
    world.post(png(noise(1)), job_id="again", confidence_threshold=0.95)
    world.index("again")
    assert world.statuses("again") == ["indexed"]
    assert len(world.regions(name)) == 1 + 6


def test_metadata_of_an_image_that_is_posted_again_come_together(world: World) -> None:
    (name,) = world.post(png(noise(1)), metadata={"shop": "Basel"})
    world.index()
    world.post(png(noise(1)), job_id="none", metadata=None)
    world.index("none")
    assert world.statuses("none") == ["unchanged"]
    world.post(png(noise(1)), job_id="other", metadata={"shop": "Bern"})
    world.index("other")
    for shop in ("Basel", "Bern"):
        assert world.regions(name, shop=shop) == world.regions(name)
    assert world.base.catalogue.get("default", name).metadata == {"shop": ["Basel", "Bern"]}
    world.post(png(noise(1)), job_id="same", metadata={"shop": "Bern"})
    world.index("same")
    assert world.statuses("same") == ["unchanged"]


def test_an_edit_replaces_and_removes_and_keeps_the_options_of_before(world: World) -> None:
    world = world.with_detections(CAT)
    metadata = {"shop": "Basel", "year": 2023}
    (name,) = world.post(png(noise(1)), metadata=metadata, confidence_threshold=0.95)
    world.index()
    before = world.base.catalogue.get("default", name)
    changes = {"shop": "Bern", "year": None}
    order = IndexOrder(changes=changes, **before.options)
    world.base.jobs.create("edit", Kind.INDEX, [Item(0, "a", name)], order.details())
    world.index("edit")
    after = world.base.catalogue.get("default", name)
    assert after.metadata == {"shop": "Bern"}
    assert (after.recipe, after.regions) == (before.recipe, before.regions)
    assert after.indexed_at == before.indexed_at  # it keeps its place in lists
    assert world.regions(name, shop="Bern") and not world.regions(name, shop="Basel")


def test_a_damaged_image_fails_with_its_reason_and_leaves_nothing(world: World) -> None:
    whole = png(noise(2))
    names = world.post(png(noise(1)), whole[: len(whole) // 2], png(noise(3)))
    assert world.index().status is Status.PARTIAL
    assert world.statuses() == ["indexed", "failed", "indexed"]
    error = world.base.jobs.items("job", offset=1, limit=1)[0].error
    assert error is not None and error["code"] == "invalid_image"
    assert not world.base.images.exists(image_key("default", names[1]))
    assert names[1] not in world.base.catalogue.find("default", names)


class Moody(FixedDetector):
    """Breaks on every batch that holds an image of one size."""

    def detect(
        self, images: Sequence[Image.Image], *, confidence_threshold: float
    ) -> list[list[Detection]]:
        """Raise on an image of 99 x 99 pixels."""
        if any(image.size == (99, 99) for image in images):
            raise RuntimeError("unforeseen")
        return super().detect(images, confidence_threshold=confidence_threshold)


def test_an_image_that_breaks_its_batch_fails_alone(world: World) -> None:
    world = world.detecting_with(Moody())
    world.post(png(noise(1)), png(noise(2, (99, 99))), png(noise(3)))
    world.index()
    assert world.statuses() == ["indexed", "failed", "indexed"]


def test_a_cancelled_job_writes_nothing(world: World) -> None:
    world.post(png(noise(1)))
    world.base.jobs.cancel("job")
    world.index()
    assert world.writer.store.count("default") == 0


class Meddler(PixelEncoder):
    """Deletes every image while it is being embedded."""

    def __init__(self, world: World) -> None:
        self._catalogue = world.base.catalogue

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Embed, having deleted."""
        for name in list(self._catalogue._redis.hkeys("needle:images:default")):
            self._catalogue.remove("default", name)
        return super().encode_images(images)


def test_an_image_deleted_while_it_is_indexed_stays_deleted(world: World) -> None:
    (name,) = world.post(png(noise(1)))
    world.indexing_by(Meddler(world)).index()
    assert world.statuses() == ["failed"]
    assert world.writer.store.count("default") == 0
    assert not world.base.images.exists(image_key("default", name))
    assert world.base.catalogue.count("default") == 0


def test_an_encoder_other_than_the_collections_fails_the_job(world: World) -> None:
    world.base.catalogue.bind("default", encoder="another", dim=192)
    world.post(png(noise(1)))
    job = world.index()
    assert job.status is Status.FAILED
    assert job.error is not None and job.error["code"] == "encoder_mismatch"


class Away:
    """A committer whose store is away."""

    def commit(self, batch: Batch) -> None:
        """Raise."""
        raise StoreUnavailable("away")


def test_a_store_that_is_away_fails_no_image(world: World) -> None:
    world.post(png(noise(1)))
    with pytest.raises(StoreUnavailable):
        world.committing_with(Away()).index()
    assert world.statuses() == ["queued"]
    world.index()
    assert world.statuses() == ["indexed"]


class Breaking(FixedDetector):
    """Raises on one image what no batch catches: its process ends, or its time is up."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self._error = error

    def detect(
        self, images: Sequence[Image.Image], *, confidence_threshold: float
    ) -> list[list[Detection]]:
        """Raise on an image of 99 x 99 pixels."""
        if any(image.size == (99, 99) for image in images):
            raise self._error
        return super().detect(images, confidence_threshold=confidence_threshold)


def test_an_image_that_takes_for_ever_is_singled_out(world: World) -> None:
    world = world.detecting_with(Breaking(SoftTimeLimitExceeded))
    world.post(png(noise(1)), png(noise(2, (99, 99))), png(noise(3)))
    for _ in range(TRUSTED_ATTEMPTS + ATTEMPTS_PER_ITEM):
        with pytest.raises(SoftTimeLimitExceeded):
            world.index()
    world.index()
    assert world.statuses() == ["indexed", "failed", "indexed"]


def test_an_image_that_kills_the_process_is_singled_out(world: World) -> None:
    world = world.detecting_with(Breaking(KeyboardInterrupt))
    world.post(png(noise(1)), png(noise(2, (99, 99))), png(noise(3)))
    for _ in range(TRUSTED_ATTEMPTS + ATTEMPTS_PER_ITEM):
        with pytest.raises(KeyboardInterrupt):
            world.index()
    world.index()
    assert world.statuses() == ["indexed", "failed", "indexed"]
    error = world.base.jobs.items("job", offset=1, limit=1)[0].error
    assert error is not None and error["code"] == "worker_crashed"
