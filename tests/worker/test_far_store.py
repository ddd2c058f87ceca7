"""A store that is far away is asked several things at a time, and everything comes out the same.

Requests are counted, not timed: the store answers none before as many wait as are to be made.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import pytest

from common.contract.orders import IndexOrder
from common.errors import NotFound, StoreUnavailable
from common.images import ReadAhead, at_once, image_key, local_key
from common.images.ahead import AT_ONCE
from common.jobs import Kind
from tests.far import FarStore
from tests.textures import texture
from tests.worker.conftest import VOCABULARY, World, noise, png
from worker.indexing.batch import Batch
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.match import NearestMatcher, Query
from worker.local.stored import StoredKeypoints
from worker.searching.candidates import Candidate
from worker.searching.verifying import Limits, Proof, Verifier
from worker.upkeep.inspecting import Inspector

CANDIDATES = [Candidate(f"{n:02}", 0) for n in range(30)]
FEW = StoredKeypoints.of(Keypoints.of(extract(texture(2, (320, 240)), 50), VOCABULARY), VOCABULARY)


@pytest.fixture
def far(world: World) -> FarStore:
    """Return the worker's own store, as it would be on another machine."""
    return FarStore(world.base.settings.data_dir)


def verified(world: World, store: FarStore | None = None) -> Proof:
    """Verify images of which every other one shows the query, out of a store or the near one."""
    kept = [extract(texture(seed, (320, 240)), 50) for seed in (1, 2)]
    packed = [StoredKeypoints.of(Keypoints.of(one, VOCABULARY), VOCABULARY) for one in kept]
    contents = cycle(one.to_bytes(VOCABULARY) for one in packed)
    for candidate, content in zip(CANDIDATES, contents, strict=False):
        world.base.images.put(local_key("default", candidate.image_id), content)
    verifier = Verifier(VOCABULARY, NearestMatcher(), store or world.base.images)
    queries = Query.both(kept[0], VOCABULARY)
    return verifier.verify("default", queries, CANDIDATES, Limits(25, 1, 60.0))


def test_local_features_of_many_candidates_are_read_together(world: World, far: FarStore) -> None:
    far.expected = AT_ONCE
    proof = verified(world, far)
    assert far.most == AT_ONCE, "and never more"
    assert proof == verified(world)
    assert len(proof.checked) == 25 and 0 < len(proof.places) < 25


def test_an_image_that_two_threads_want_is_read_once(
    world: World, far: FarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    near = world.base.images.open

    def opened(key: str) -> bytes:
        read.append(key)
        return near(key)

    monkeypatch.setattr(far, "open", opened)
    for name in "ab":
        world.base.images.put(local_key("default", name), FEW.to_bytes(VOCABULARY))
    queries = Query.both(extract(texture(1, (320, 240)), 50), VOCABULARY)
    candidates = [Candidate(name, query) for name in "ab" for query in (0, 1)]
    verifier = Verifier(VOCABULARY, NearestMatcher(), far)
    proof = verifier.verify("default", queries, candidates, Limits(9, 1, 60.0))
    assert proof.checked == {"a", "b"} and len(read) == 2


def test_one_that_cannot_be_read_is_left_out_and_the_others_are_verified(
    world: World, far: FarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {local_key("default", CANDIDATES[n].image_id) for n in (3, 4)}
    near = world.base.images.open

    def opened(key: str) -> bytes:
        if key in gone:
            raise StoreUnavailable("away")
        return near(key)

    monkeypatch.setattr(far, "open", opened)
    proof = verified(world, far)
    assert not proof.complete
    assert proof.checked == {c.image_id for n, c in enumerate(CANDIDATES[:25]) if n not in (3, 4)}


def test_what_is_read_ahead_comes_in_order_and_raises_where_it_is_asked_for(
    world: World, far: FarStore
) -> None:
    for name in "abd":
        world.base.images.put(f"queries/{name}", name.encode())
    far.expected = 4
    with ReadAhead(far, [f"queries/{name}" for name in "abcd"]) as reads:
        assert [reads.open(f"queries/{name}") for name in "ab"] == [b"a", b"b"]
        with pytest.raises(NotFound):
            reads.open("queries/c")
        assert [reads.open(f"queries/{name}") for name in "da"] == [b"d", b"a"]


def test_a_store_on_the_disk_is_asked_one_thing_after_the_other(
    world: World, far: FarStore
) -> None:
    far.on_disk, far.expected = True, 1
    world.base.images.put("queries/a", b"a")
    keys = ["queries/a"] * AT_ONCE
    assert list(at_once(far, far.open, keys)) == [b"a"] * AT_ONCE
    with ReadAhead(far, keys) as reads:
        assert [reads.open(key) for key in keys] == [b"a"] * AT_ONCE
    assert far.most == 1


def test_images_of_a_chunk_are_read_together_before_they_are_decoded(
    world: World, far: FarStore
) -> None:
    world.post(*[png(noise(n)) for n in range(AT_ONCE)])
    far.expected = AT_ONCE
    pipeline = world.indexing
    assert pipeline.threads < AT_ONCE
    world = replace(world, indexing=replace(pipeline, loader=replace(pipeline.loader, images=far)))
    assert world.index().done == AT_ONCE
    assert far.most == AT_ONCE


def test_what_is_made_of_images_is_written_together(world: World, far: FarStore) -> None:
    batches: list[Batch] = []

    class Collecting:
        def commit(self, batch: Batch) -> None:
            """Keep the batch, and write it."""
            batches.append(batch)
            world.writer.commit(batch)

    world.post(*[png(noise(n)) for n in range(6)])
    world.committing_with(Collecting()).index()
    items = world.base.jobs.items("job", offset=0, limit=9)
    world.base.jobs.create("again", Kind.INDEX, items, IndexOrder().details())
    batch = replace(max(batches, key=lambda batch: len(batch.images)), job_id="again")
    far.expected = len(batch.images)
    replace(world.writer, images=far).commit(batch)
    assert far.most == len(batch.images) > 1


def test_files_of_many_images_are_looked_for_together(world: World, far: FarStore) -> None:
    ids = world.post(*[png(noise(n)) for n in range(5)])
    world.index()
    world.base.images.delete(image_key("default", ids[2]))
    far.expected = 5
    writer = world.writer
    inspector = Inspector(writer.store, writer.words, far, writer.catalogue)
    records = [world.base.catalogue.get("default", name) for name in ids]
    (damage,) = inspector.damaged("default", records)
    assert (damage.record.image_id, damage.missing) == (ids[2], ("file",))
    assert far.most == 5
