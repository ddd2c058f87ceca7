"""From file to find: what is cut short, transparent or blank."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from common.contract.orders import IndexOrder
from common.images import query_key
from common.jobs import Item, Job, Kind, Status
from tests.worker.conftest import World, noise, png
from worker.fetch import Fetcher
from worker.searching.loading import LoadedQuery, QueryLoader
from worker.searching.options import SearchOptions


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def ask(world: World, content: bytes, **options: object) -> Job:
    """Search with a file as it is."""
    world.base.images.put(query_key("asked"), content)
    return world.search(job_id="asked", files=1, **options)


def logo(colour: tuple[int, int, int]) -> Image.Image:
    """Return a logo of one colour on nothing, with a margin."""
    image = Image.new("RGBA", (120, 100))
    draw = ImageDraw.Draw(image)
    draw.ellipse((30, 20, 80, 70), fill=(*colour, 255))
    draw.rectangle((50, 40, 90, 50), fill=(0, 0, 0, 0))
    return image


def test_a_photo_that_is_cut_short_is_indexed_with_a_warning(world: World) -> None:
    whole = jpeg(noise(1, (320, 240)))
    world.post(whole[: len(whole) * 3 // 4], jpeg(noise(2)))
    assert world.index().status is Status.SUCCEEDED
    cut, other = world.base.jobs.items("job", offset=0, limit=9)
    assert cut.status == "indexed" and cut.warning and "cut short" in cut.warning
    assert other.warning is None


def test_of_a_scan_behind_a_url_the_first_page_is_read_and_the_item_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = io.BytesIO()
    noise(1).save(pages, "TIFF", save_all=True, append_images=[noise(2), noise(3)])
    monkeypatch.setattr(Fetcher, "fetch", lambda self, url, wanted: pages.getvalue())
    order = IndexOrder()
    item = Item(0, "https://me:secret@example.org/scans/Caf%C3%A9.tif?size=full")
    world.base.jobs.create("job", Kind.INDEX, [item], order.details())
    world.index()
    (ended,) = world.base.jobs.items("job", offset=0, limit=9)
    assert ended.status == "indexed" and ended.image_id
    assert ended.warning and "page 1 of 3" in ended.warning
    record = world.base.catalogue.get("default", ended.image_id)
    assert record.path == "example.org/scans/Café.tif"


@pytest.mark.parametrize(
    ("colour", "grounds"),
    [((255,) * 3, {0}), ((0,) * 3, {255}), ((128,) * 3, {0, 255})],
)
def test_a_logo_on_nothing_is_searched_for_on_what_it_stands_out_from(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    colour: tuple[int, int, int],
    grounds: set[int],
) -> None:
    world.post(png(noise(1)))
    world.index()
    load, seen = QueryLoader.load, []

    def watched(self: QueryLoader, options: SearchOptions) -> LoadedQuery:
        seen.append(load(self, options))
        return seen[-1]

    monkeypatch.setattr(QueryLoader, "load", watched)
    assert ask(world, png(logo(colour))).status is Status.SUCCEEDED
    (query,) = seen
    assert {pixels.getpixel((0, 0)) for pixels in query.given} == {(g, g, g) for g in grounds}
    assert {pixels.size for pixels in query.given} == {(50, 51)}


@pytest.mark.parametrize("ink", [None, (9, 9, 9, 255)])
def test_a_blank_query_is_refused_with_a_sentence(
    world: World, ink: tuple[int, int, int, int] | None
) -> None:
    world.post(png(noise(1)))
    world.index()
    job = ask(world, png(Image.new("RGBA", (40, 40), ink or (0, 0, 0, 0))))
    assert job.status is Status.FAILED
    assert job.error and job.error["code"] == "invalid_image"
    assert "blank" in str(job.error["message"])


def test_the_things_of_a_transparent_query_keep_their_places(world: World) -> None:
    world.post(png(noise(1)))
    world.index()
    assert ask(world, png(logo((255,) * 3)), detect=True).status is Status.SUCCEEDED


def test_the_collected_logo_is_found(world: World, shared: Path) -> None:
    folder = shared / "data" / "cases" / "white-logo-on-transparent"
    shown, *_ = world.post(
        (folder / "photo.jpg").read_bytes(), *(png(noise(n, (700, 500))) for n in range(4))
    )
    world.index()
    job = ask(world, (folder / "logo.png").read_bytes())
    best = job.result["matches"][0]
    assert best["image_id"] == shown
