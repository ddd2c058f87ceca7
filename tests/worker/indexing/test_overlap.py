"""Loading ahead and committing behind: in order, within their bytes, and gone when a run ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from PIL import Image

from common.catalogue import ImageRecord
from common.jobs import Item
from tests.fakes import PixelEncoder
from tests.worker.conftest import World, noise, png
from worker.indexing.batch import Batch
from worker.indexing.image import LoadedImage
from worker.indexing.loading import Found
from worker.indexing.overlap import BYTES_A_PIXEL, Ahead
from worker.indexing.pace import PART_S, Pace
from worker.models.base import Embeddings

PATIENCE_S = 20
"""What has not happened by then does not: the test fails."""
PIXEL = Image.new("RGB", (1, 1))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail the test after which a thread of a run is still there."""
    yield
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("find", "read", "load", "commit"))]


class Images:
    """Finds and loads items whose images have the given pixels; notes how much is held."""

    def __init__(self, pixels: Sequence[int]) -> None:
        self.items = [Item(n, f"{n}.png", str(n)) for n in range(len(pixels))]
        self.pixels = pixels
        self.begun: list[int] = []
        self.released = 0
        self.most = 0
        self._lock = threading.Lock()

    def find(self, item: Item) -> Found | Item:
        """Return the record of the item's image."""
        record = ImageRecord(str(item.index), "c", item.name, "", self.pixels[item.index], 1, 1, {})
        return Found(item, record)

    def read(self, found: Found) -> bytes:
        """Return no bytes."""
        return b""

    def load(self, found: Found, read: Callable[[], bytes]) -> LoadedImage | Item:
        """Note that the image is being loaded."""
        read()
        with self._lock:
            self.begun.append(found.item.index)
            held = sum(self.pixels[n] for n in self.begun) - self.released
            self.most = max(self.most, held)
        return LoadedImage(found.item, found.record, PIXEL, b"")

    def ahead(self, most_pixels: int) -> Ahead:
        """Return what loads them all."""
        most = BYTES_A_PIXEL * most_pixels
        return Ahead(self.items, self.find, self.read, self.load, threads=3, most_bytes=most)

    def parts(self, most_pixels: int, most: int) -> list[list[int]]:
        """Return the indexes of all items as they are taken together."""
        taken = []
        with self.ahead(most_pixels) as ahead:
            while part := [item.index for item, _ in ahead.take(most)]:
                taken.append(part)
                with self._lock:
                    self.released += sum(self.pixels[n] for n in part)
                ahead.release()
        return taken


def test_items_come_in_their_order_in_parts_of_a_number() -> None:
    images = Images([1] * 7)
    assert images.parts(1000, 3) == [[0, 1, 2], [3, 4, 5], [6]]
    assert images.parts(1000, 64) == [[0, 1, 2, 3, 4, 5, 6]]
    assert Images([]).parts(1000, 3) == []


def test_the_bytes_bound_what_is_taken_together_and_what_is_held() -> None:
    images = Images([30, 20, 10, 40, 5, 5])
    assert images.parts(100, 64) == [[0, 1], [2, 3], [4, 5]]
    assert images.most <= 100


def test_an_image_of_more_than_all_bytes_is_held_alone() -> None:
    images = Images([10, 500, 10, 10, 60, 60])
    assert images.parts(100, 64) == [[0], [1], [2, 3], [4], [5]]
    assert images.most == 500


def test_whatever_a_thread_raises_comes_out_with_its_item() -> None:
    images = Images([1, 1, 1, 1])

    def find(item: Item) -> Found | Item:
        if item.index == 1:
            raise ZeroDivisionError
        return item if item.index == 2 else images.find(item)

    with Ahead(images.items, find, images.read, images.load, threads=2, most_bytes=99) as ahead:
        taken = ahead.take(9)
    assert [item.index for item, _ in taken] == [0, 1, 2, 3]
    assert isinstance(taken[1][1].exception(), ZeroDivisionError)
    assert taken[2][1].result() == images.items[2]
    assert images.begun == [0, 3]


def test_what_has_not_begun_is_dropped_when_a_run_ends_early() -> None:
    images = Images([60] * 9)
    with pytest.raises(KeyboardInterrupt), images.ahead(100) as ahead:
        ahead.take(1)
        raise KeyboardInterrupt
    assert len(images.begun) == 1


class Meeting(PixelEncoder):
    """Embeds the first image only when something else has happened meanwhile."""

    def __init__(self) -> None:
        self.happened = threading.Event()
        self.met: list[bool] = []

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Wait, then embed."""
        self.met.append(self.happened.wait(PATIENCE_S))
        return super().encode_images(images)


def one_by_one(world: World) -> World:
    """Return the same worker with parts of one image."""

    class One(Pace):
        def most(self, profile: str) -> int:
            """Return 1."""
            return 1

    return replace(world, indexing=replace(world.indexing, pace=One()))


def test_the_next_image_is_loaded_while_the_networks_run(world: World) -> None:
    encoder = Meeting()
    world = one_by_one(world.indexing_by(encoder))
    describer = world.indexing.describer

    class Telling(type(describer)):  # type: ignore[misc]
        def described(self, image: LoadedImage, *args: object) -> LoadedImage:
            """Tell when the second image is described."""
            if image.item.index == 1:
                encoder.happened.set()
            return image

    told = Telling(describer.vocabulary)
    world = replace(world, indexing=replace(world.indexing, describer=told))
    world.post(png(noise(1)), png(noise(2)))
    world.index()
    assert encoder.met == [True, True]
    assert world.statuses() == ["indexed"] * 2


def test_a_batch_is_committed_while_the_networks_see_the_next(world: World) -> None:
    class Second(Meeting):
        def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
            """Wait with the second image only."""
            if not self.met:
                self.met.append(True)
                return PixelEncoder.encode_images(self, images)
            return super().encode_images(images)

    encoder = Second()

    class Telling:
        def commit(self, batch: Batch) -> None:
            """Tell, and write."""
            encoder.happened.set()
            world.writer.commit(batch)

    first = one_by_one(world.indexing_by(encoder)).committing_with(Telling())
    first.post(png(noise(1)), png(noise(2)))
    first.index()
    assert encoder.met == [True, True]
    assert world.statuses() == ["indexed"] * 2


class Picky:
    """Commits all batches but those with one item, as a whole."""

    def __init__(self, world: World, refused: int) -> None:
        self._world, self._refused = world, refused
        self.seen: list[list[int]] = []

    def commit(self, batch: Batch) -> None:
        """Raise what nobody foresaw for a batch that has the item."""
        self.seen.append([image.item.index for image in batch.images])
        if self._refused in self.seen[-1]:
            raise RuntimeError("unforeseen")
        self._world.writer.commit(batch)


def test_a_commit_that_fails_behind_fails_its_own_image_alone(world: World) -> None:
    picky = Picky(world, 2)
    world.post(*[png(noise(n)) for n in range(6)])
    world.committing_with(picky).index()
    assert world.statuses() == ["indexed", "indexed", "failed", "indexed", "indexed", "indexed"]
    assert picky.seen[:2] == [[0], [1, 2]] and [1] in picky.seen and [2] in picky.seen


def test_parts_grow_and_shrink_with_what_they_take() -> None:
    pace = Pace()
    seen = []
    for seconds in (0.1, 0.1, 0.1, 100.0, PART_S / 2, 0.0):
        seen.append(most := pace.most("fast"))
        pace.note("fast", most, seconds)
    assert seen == [1, 2, 4, 8, 1, 2]
    assert pace.most("balanced") == 1


def test_every_way_of_taking_images_together_makes_the_same_regions(world: World) -> None:
    names = world.post(*[png(noise(n, (200 + n, 150))) for n in range(5)])
    one_by_one(world).index()
    single = [world.regions(name) for name in names]
    world.post(*[png(noise(n, (200 + n, 150))) for n in range(5)], job_id="b", local_features=7)
    tight = replace(world, indexing=replace(world.indexing, most_bytes=250_000))
    tight.index("b")
    assert world.statuses("b") == ["indexed"] * 5
    assert [world.regions(name) for name in names] == single
