"""What a search may decode: bounded before it is decoded, in pixels and at a time."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from common import pictures
from common.images import query_key
from common.jobs import Status
from tests.worker.conftest import World, noise, png
from worker.models.base import Detection
from worker.searching import comparing, loading
from worker.searching.loading import LoadedQuery, QueryLoader
from worker.searching.options import SearchOptions


def test_a_querys_images_are_decoded_one_by_one_and_share_their_pixels(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PIXELS", 4_000)
    alive: list[int] = []
    read, shrunk = pictures.read, pictures.shrunk
    monkeypatch.setattr(pictures, "read", lambda *a, **k: (alive.append(1), read(*a, **k))[1])

    def shrink(image: Image.Image, most: int) -> Image.Image:
        assert sum(alive) == 1, "the one before was let go"
        alive.clear()
        return shrunk(image, most)

    monkeypatch.setattr(pictures, "shrunk", shrink)
    seen: list[LoadedQuery] = []
    load = QueryLoader.load

    def watched(self: QueryLoader, options: SearchOptions) -> LoadedQuery:
        seen.append(load(self, options))
        return seen[-1]

    monkeypatch.setattr(QueryLoader, "load", watched)
    world.post(png(noise(1)))
    world.index()
    alive.clear()
    for number in (0, 1):
        world.base.images.put(query_key("q", number), png(noise(number)))
        world.base.images.put(query_key("q", number, negative=True), png(noise(5 + number)))
    job = world.search(job_id="q", files=2, negative_files=2)
    assert job.status is Status.SUCCEEDED
    every = (*seen[0].given, *seen[0].negatives)
    assert len(every) == 4
    assert all(image.width * image.height <= 1_000 for image in every)
    assert seen[0].scale == pytest.approx(160 / seen[0].given[0].width)


def test_a_querys_images_are_decoded_where_there_is_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.post(png(noise(1)))
    world.index()
    rooms: list[pictures.Room] = []
    held: list[int] = []
    load, read = QueryLoader.load, pictures.read

    def watched(self: QueryLoader, options: SearchOptions) -> LoadedQuery:
        rooms.append(self.room)
        return load(self, options)

    def reading(*args: Any, **more: Any) -> pictures.Picture:
        held.append(rooms[-1]._held)
        return read(*args, **more)

    monkeypatch.setattr(QueryLoader, "load", watched)
    monkeypatch.setattr(loading.pictures, "read", reading)
    world.base.images.put(query_key("q", 0), png(noise(0)))
    assert world.search(job_id="q", files=1).status is Status.SUCCEEDED
    width, height = noise(0).size
    assert held[0] == loading.DECODING_BYTES * width * height
    assert rooms[0]._held == 0


def test_boxes_of_a_reduced_querys_things_are_those_of_the_query(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PIXELS", 160 * 120 // 4)

    class Detector:
        """Finds one thing in the middle."""

        id = "middle"

        def detect(self, images: Any, **_: Any) -> list[list[Detection]]:
            """Return the middle of each."""
            return [
                [Detection(i.width / 4, i.height / 4, i.width / 2, i.height / 2, "thing", 0.9)]
                for i in images
            ]

    world.post(png(noise(1)))
    world.index()
    job = world.detecting_queries_with(Detector()).search(noise(1), detect=True)
    assert job.result["objects"][0]["box"] == [40, 30, 80, 60]


def test_a_closer_look_decodes_no_more_than_it_may(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.post(*(png(noise(n)) for n in range(6)))
    world.index()
    decoded: list[int] = []
    decode = pictures.decode

    def counted(content: bytes, **limits: int) -> Image.Image:
        image = decode(content, **limits)
        decoded.append(image.width * image.height)
        return image

    monkeypatch.setattr(pictures, "decode", counted)
    monkeypatch.setattr(comparing, "PIXELS", 2 * 160 * 120)
    job = world.search(noise(1).crop((10, 10, 90, 70)), zoom=6)
    assert job.status is Status.SUCCEEDED
    assert len(decoded) == 2, "the query is none of them"
