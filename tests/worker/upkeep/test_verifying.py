"""A verify job finds each kind of damage, and repairs what can be repaired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from common.contract.answers import Verified
from common.contract.orders import VerifyOrder
from common.images import image_key, local_key, regions_key, thumbnail_key
from common.jobs import Item, Job, Kind, Status
from tests.worker.conftest import World, noise, png, sent
from worker.tasks import run_index
from worker.upkeep import verifying
from worker.upkeep.repairing import LIST_LOST
from worker.upkeep.tasks import run_verify
from worker.vectors.engine import Shelf, Sort

pytestmark = [
    pytest.mark.usefixtures("engine"),
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
SHELF = Shelf(Sort.REGIONS, "default")
PHOTOS = [png(noise(n)) for n in range(3)]


@pytest.fixture
def indexed(world: World) -> World:
    """Return a worker with three images indexed."""
    world.post(*PHOTOS, metadata={"shop": "Basel"})
    assert world.index().status is Status.SUCCEEDED
    return world


def names(world: World) -> list[str]:
    """Return the ids of the images that were posted, in their order."""
    return [item.image_id or "" for item in world.base.jobs.items("job", offset=0, limit=9)]


def run(world: World, *, repair: bool = False, job_id: str = "verify") -> Job:
    """Run a verify job and return it."""
    order = VerifyOrder(collection="default", repair=repair)
    world.base.jobs.create(job_id, Kind.VERIFY, [Item(0, "default")], order.details())
    run_verify(world.base, world.writer, job_id)
    return world.base.jobs.get(job_id)


def verified(world: World, **more: Any) -> Verified:
    """Return the report of a verify job."""
    job = run(world, **more)
    assert job.status is Status.SUCCEEDED and job.done == job.total
    return Verified.model_validate(job.result)


def index_what_was_sent(world: World) -> list[str]:
    """Run the tasks that wait to be indexed; return how the items of their job ended."""
    job_id = ""
    for task in sent(world.base.redis, "index"):
        job_id = task["job_id"]
        run_index(world.base, world.indexing, job_id, range(task["first"], task["last"] + 1))
    return world.statuses(job_id)


def points_of(world: World, name: str) -> list[str]:
    """Return the ids of an image's points, the first one first."""
    found = dict((owner or "", ids) for owner, ids in world.writer.store.owners("default"))
    return found[name]


def test_what_is_whole_is_said_to_be(indexed: World) -> None:
    report = verified(indexed)
    assert (report.images, report.whole, report.waiting) == (3, 3, 0)
    assert (report.damaged, report.orphaned, report.stray_points) == (0, 0, 0)
    assert report.missing == {} and report.beyond_repair == [] and report.note is None
    indexed.post(png(noise(9)), job_id="later")
    report = verified(indexed, job_id="with one that waits", repair=True)
    assert (report.images, report.whole, report.waiting, report.orphaned) == (3, 3, 1, 0)
    assert report.repair_job is None and not sent(indexed.base.redis, "index")


DAMAGE: dict[str, tuple[str, Callable[[World, str], None]]] = {
    "all points": ("points", lambda w, name: w.writer.store.delete_image("default", name)),
    "the first point": (
        "points",
        lambda w, name: w.writer.store.engine.delete(SHELF, points_of(w, name)[:1]),
    ),
    "a point": (
        "points",
        lambda w, name: w.writer.store.engine.delete(SHELF, points_of(w, name)[3:4]),
    ),
    "words": ("words", lambda w, name: w.writer.words.delete_image("default", name)),
    "thumbnail": (
        "thumbnail",
        lambda w, name: w.base.images.delete(thumbnail_key("default", name)),
    ),
    "local features": (
        "local_features",
        lambda w, name: w.base.images.delete(local_key("default", name)),
    ),
    "list of regions": (
        "regions",
        lambda w, name: w.base.images.delete(regions_key("default", name)),
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_told_and_repaired(indexed: World, damage: str) -> None:
    part, hurt = DAMAGE[damage]
    whole, name = indexed.writer.store.count("default"), names(indexed)[1]
    hurt(indexed, name)
    report = verified(indexed)
    assert (report.images, report.whole, report.damaged) == (3, 2, 1)
    assert report.missing == {part: 1} and report.repair_job is None
    assert report.damaged_images[0].image_id == name
    assert not sent(indexed.base.redis, "index")  # nothing is repaired unasked

    report = verified(indexed, job_id="repair", repair=True)
    assert report.repair_job and report.beyond_repair == []
    assert index_what_was_sent(indexed) == ["indexed"]
    report = verified(indexed, job_id="after")
    assert (report.whole, report.damaged, report.orphaned, report.stray_points) == (3, 0, 0, 0)
    assert indexed.writer.store.count("default") == whole
    record = indexed.base.catalogue.get("default", name)
    assert record.metadata == {"shop": "Basel"} and record.recipe
    assert len(indexed.regions(name, shop="Basel")) == record.regions


def test_all_vectors_gone_are_made_again(indexed: World) -> None:
    indexed.writer.store.delete_collection("default")
    indexed.writer.words.delete_collection("default")
    report = verified(indexed, repair=True)
    assert report.missing == {"points": 3, "words": 3} and report.whole == 0
    assert index_what_was_sent(indexed) == ["indexed"] * 3
    assert verified(indexed, job_id="after").whole == 3


@pytest.mark.parametrize("left", [None, b"half of it"])
def test_an_image_whose_file_is_gone_cannot_be_repaired(indexed: World, left: bytes | None) -> None:
    lost, hurt, _ = names(indexed)
    key = image_key("default", lost)
    indexed.base.images.delete(key) if left is None else indexed.base.images.put(key, left)
    indexed.writer.words.delete_image("default", hurt)
    report = verified(indexed, repair=True)
    assert report.missing == {"file": 1, "words": 1}
    assert report.beyond_repair == [lost]
    assert index_what_was_sent(indexed) == ["indexed"]
    after = verified(indexed, job_id="after")
    assert after.missing == {"file": 1}  # what there is of it is left


def test_what_belongs_to_no_image_is_told_and_removed(indexed: World) -> None:
    name = names(indexed)[2]
    indexed.base.catalogue.remove("default", name)
    report = verified(indexed)
    assert (report.images, report.whole, report.orphaned) == (2, 2, 1)
    assert report.orphaned_images[0].image_id == name
    assert set(report.orphaned_images[0].found) == {"points", "words", "file"}
    assert indexed.base.images.exists(image_key("default", name))  # nothing is removed unasked

    assert verified(indexed, job_id="repair", repair=True).removed == 1
    assert verified(indexed, job_id="after").orphaned == 0
    assert not indexed.base.images.exists(image_key("default", name))
    assert indexed.writer.words.count("default") == 2


def test_points_that_name_no_image_are_told_and_removed(indexed: World) -> None:
    name = names(indexed)[0]
    indexed.writer.store.engine.delete(SHELF, points_of(indexed, name)[:1])
    indexed.base.catalogue.remove("default", name)
    report = verified(indexed, repair=True)
    assert report.stray_points == 6
    after = verified(indexed, job_id="after")
    assert (after.whole, after.orphaned, after.stray_points) == (2, 0, 0)
    assert indexed.writer.store.count("default") == 14


def test_where_the_list_is_lost_nothing_is_removed(indexed: World) -> None:
    indexed.base.catalogue.forget_collection("default")
    report = verified(indexed, repair=True)
    assert (report.images, report.orphaned, report.removed) == (0, 3, 0)
    assert report.note == LIST_LOST
    assert indexed.base.images.exists(image_key("default", names(indexed)[0]))
    assert indexed.writer.store.count("default") == 21


def test_an_image_that_is_deleted_or_written_meanwhile_is_not_called_damaged(
    indexed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, written, _ = names(indexed)
    for name in (gone, written):
        indexed.writer.words.delete_image("default", name)
    orphans = verifying.Inspector.orphans

    def meanwhile(self: Any, *args: Any) -> Any:
        found = orphans(self, *args)
        indexed.base.catalogue.remove("default", gone)
        indexed.base.catalogue.doubt("default", [written])
        indexed.post(PHOTOS[1], job_id="again")
        indexed.index("again")
        return found

    monkeypatch.setattr(verifying.Inspector, "orphans", meanwhile)
    assert verified(indexed).damaged == 0


def test_a_cancelled_job_ends_and_one_that_runs_twice_changes_nothing(
    indexed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run(indexed)
    run_verify(indexed.base, indexed.writer, "verify")
    assert indexed.base.jobs.get("verify") == before
    damaged = verifying.Inspector.damaged

    def cancelled(self: Any, *args: Any) -> Any:
        indexed.base.jobs.cancel("other")
        return damaged(self, *args)

    monkeypatch.setattr(verifying.Inspector, "damaged", cancelled)
    assert run(indexed, job_id="other").status is Status.CANCELLED
