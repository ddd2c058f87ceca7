"""The collected cases of what people feed it: each is answered as its README says."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.geometry import Box
from machine.stack import Stack
from needle import Job, Match, Needle, SearchResult
from tests.conftest import free_port

ICONS = {
    "icon57": (1126, 366, 1236, 476),
    "icon130": (810, 855, 920, 965),
    "icon222": (3496, 1344, 3606, 1454),
    "icon301": (178, 1996, 288, 2106),
    "icon388": (2074, 2485, 2184, 2595),
    "icon17": (2706, 40, 2816, 150),
}
QR = (200, 120, 350, 270)
LOGO = (306, 186, 454, 334)


@pytest.fixture(scope="module")
def needle(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Needle]:
    """Return a client of a service as it is set up, but for the time that a search may take."""
    env = {"NEEDLE_VERIFY_BUDGET_MS": "15000", "NEEDLE_ZOOM_BUDGET_MS": "15000"}
    running = Stack(env, data_dir=tmp_path_factory.mktemp("cases"), port=free_port())
    with running:
        running.wait_ready(240)
        with Needle(running.base_url) as client:
            yield client


@pytest.fixture
def cases(shared: Path) -> Path:
    """Return the folder of the cases."""
    return shared / "data" / "cases"


def indexed(needle: Needle, collection: str, *files: Path, **options: object) -> Job:
    """Index files into a collection, and wait."""
    job = needle.index(files, collection=collection, **options)
    return needle.wait(job, timeout_s=300)


def first(result: SearchResult) -> Match:
    assert result.best is not None
    return result.best


def iou(match: Match, box: tuple[int, int, int, int]) -> float:
    return Box(*match.hits[0].box).iou(Box(*box))


def test_icons_on_a_wall_of_twelve_megapixels(needle: Needle, cases: Path) -> None:
    folder = cases / "12mp-exact-crop"
    others = [cases / "qr-other-code" / "qr0.jpg", cases / "white-logo-on-transparent/photo.jpg"]
    assert indexed(needle, "wall", folder / "wall.png", *others).status == "succeeded"
    for name, box in ICONS.items():
        result = needle.search(folder / f"{name}.png", collection="wall")
        if not result.verification["complete"]:  # the machine is busy
            result = needle.continue_search(result)
        best = first(result)
        assert best.filename == "wall.png" and iou(best, box) > 0.8, name


def test_grey_of_any_depth(needle: Needle, cases: Path) -> None:
    folder = cases / "grey-16-and-float"
    names = {"hot-pixel-16.png", "nan-border.tif", "nodata-9999.tif"}
    indexed(needle, "grey", *(folder / name for name in names))
    result = needle.search(folder / "query.png", collection="grey")
    assert {match.filename for match in result.matches if match.verified} == names


def test_a_jpeg_that_is_cut_short(needle: Needle, cases: Path) -> None:
    folder = cases / "jpeg-truncated"
    job = indexed(needle, "cut", *folder.glob("*.jpg"))
    warnings = {item.name: item.warning for item in needle.items(job)}
    assert (job.status, len(warnings)) == ("succeeded", 3)
    assert [Path(name).name for name, said in warnings.items() if said] == ["cut10percent.jpg"]
    assert len(needle.search(folder / "query.png", collection="cut").matches) == 3


def test_modern_formats_are_read_or_named(needle: Needle, cases: Path) -> None:
    names = ("a.avif", "b.jp2", "c.heic")
    job = indexed(needle, "modern", *(cases / "modern-formats" / name for name in names))
    assert (job.status, job.progress.done, job.progress.failed) == ("partial", 2, 1)
    reason = next(item.reason for item in needle.items(job) if item.reason)
    assert reason.startswith("The HEIC file")


def test_a_name_is_found_as_it_is_typed(needle: Needle, cases: Path, tmp_path: Path) -> None:
    apart = tmp_path / unicodedata.normalize("NFD", "Café Zürich.jpg")
    shutil.copy(cases / "qr-other-code" / "qr1.jpg", apart)
    indexed(needle, "names", apart)
    assert [image.filename for image in needle.images(collection="names", name="Café")] == [
        "Café Zürich.jpg"
    ]


def test_another_code_is_not_found(needle: Needle, cases: Path) -> None:
    folder = cases / "qr-other-code"
    indexed(needle, "codes", *folder.glob("qr*.jpg"))
    assert needle.search(folder / "absent.png", collection="codes").found is False
    present = needle.search(folder / "present3.png", collection="codes")
    assert present.found and first(present).filename == "qr3.jpg"
    assert iou(first(present), QR) > 0.8


def test_the_same_bytes_have_both_names_and_both_words(needle: Needle, cases: Path) -> None:
    folder = cases / "same-bytes-two-names"
    indexed(needle, "twice", folder / "first.jpg", metadata={"shop": "Basel"})
    indexed(needle, "twice", folder / "second.jpg", metadata={"shop": "Zurich"})
    found = [
        list(needle.images(collection="twice", **asked))
        for asked in (
            {"name": "second"},
            {"filter": {"shop": "Basel"}},
            {"filter": {"shop": "Zurich"}},
        )
    ]
    assert [len(images) for images in found] == [1, 1, 1]


def test_the_same_name_in_two_folders(needle: Needle, cases: Path) -> None:
    folder = cases / "same-name-in-two-folders"
    indexed(needle, "albums", folder / "album.zip")
    best = first(needle.search(folder / "query.png", collection="albums"))
    assert best.path == "Zurich/IMG_0001.jpg"


def test_the_second_page_of_a_scan(needle: Needle, cases: Path) -> None:
    folder = cases / "tiff-page-2"
    indexed(needle, "scans", folder / "pages.tif")
    result = needle.search(folder / "query.png", collection="scans")
    assert result.found and first(result).filename == "pages.tif#2"


def test_a_white_logo_on_nothing(needle: Needle, cases: Path) -> None:
    folder = cases / "white-logo-on-transparent"
    others = (cases / "qr-other-code").glob("qr*.jpg")
    indexed(needle, "logos", folder / "photo.jpg", *others)
    result = needle.search(folder / "logo.png", collection="logos")
    assert result.found and first(result).filename == "photo.jpg"
    assert iou(first(result), LOGO) > 0.5, "the logo is its own mirror image, turned"


def test_names_in_an_archive_from_japan(needle: Needle, cases: Path) -> None:
    indexed(needle, "japan", cases / "zip-shift-jis" / "sjis.zip")
    names = {image.filename for image in needle.images(collection="japan")}
    assert names == {"表示ソース.jpg", "富士山.jpg"}
