"""The images that the client draws: boxes on images, and the results sheet."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from needle import Match, draw
from needle.draw import DOUBTFUL, FOUND, draw_box, font, open_upright, outline
from needle.sheet import WIDTH, Row, _wrapped, results_sheet

GREY = (120, 120, 120)


def image(width: int, height: int, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), GREY).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def test_the_box_is_outlined_in_colour_and_the_rest_is_darkened() -> None:
    image = Image.new("RGB", (600, 400), GREY)
    marked = draw_box(image, (200, 100, 400, 300), "0.91", unit_px=2)
    assert marked.size == image.size and image.getpixel((5, 5)) == GREY
    assert marked.getpixel((300, 200)) == GREY, "what is inside stays as it was"
    assert marked.getpixel((10, 390))[0] < 100  # type: ignore[index]
    across = {marked.getpixel((x, 200)) for x in range(190, 202)}
    assert FOUND in across and (255, 255, 255) in across
    assert draw_box(image, (200, 100, 400, 300), dim=False).getpixel((10, 390)) == GREY


def test_a_dark_photo_does_not_become_black() -> None:
    dark = draw_box(Image.new("RGB", (600, 400), (40, 40, 40)), (200, 100, 400, 300))
    assert dark.getpixel((10, 390))[0] >= 30  # type: ignore[index]


@pytest.mark.parametrize("box", [(0, 0, 600, 400), (0, 0, 5, 5), (595, 395, 600, 400)])
def test_boxes_at_the_edges_can_be_drawn(box: tuple[int, int, int, int]) -> None:
    assert draw_box(Image.new("RGB", (600, 400)), box, "0.91").size == (600, 400)


def test_a_photo_that_was_cut_short_is_drawn_as_far_as_it_reads(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((640, 480), 80).convert("RGB").save(buffer, "JPEG")
    cut = buffer.getvalue()[: buffer.tell() * 3 // 4]
    (tmp_path / "cut.jpg").write_bytes(cut)
    assert open_upright(cut).size == open_upright(tmp_path / "cut.jpg").size == (640, 480)
    with pytest.raises(OSError):
        open_upright(b"no image")


def test_a_tiny_box_is_outlined_at_a_distance_within_the_image() -> None:
    assert outline((50, 50, 54, 54), (100, 100), least_px=20) == (42, 42, 62, 62)
    assert outline((0, 0, 4, 4), (100, 100), least_px=20) == (0, 0, 12, 12)
    assert outline((10, 10, 60, 60), (100, 100), least_px=20) == (10, 10, 60, 60)


def test_images_are_opened_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter turn
    assert open_upright(image(40, 20, exif=exif)).size == (20, 40)
    with pytest.raises(OSError, match="cannot identify"):
        open_upright(b"no image")


def row(**changes: Any) -> Row:
    values: dict[str, Any] = {
        "title": "box",
        "caption": "a caption much too long for one line of that narrow column under the query",
        "query": Image.new("RGB", (80, 200), GREY),
        "photo": Image.new("RGB", (1200, 800), GREY),
        "box": (500, 300, 700, 500),
        "label": "0.91",
        "verdict": "found",
        "details": ("shelf.jpg", "a-name-without-a-single-space-" * 4),
        "sure": True,
    }
    return Row(**{**values, **changes})


def test_a_sheet_has_a_card_for_each_row_whatever_the_images_are_like() -> None:
    one = results_sheet([row()], title="Needle")
    rows = [
        row(),
        row(sure=False),
        row(photo=None, box=None),
        row(box=None),
        row(photo=Image.new("RGB", (300, 3000), GREY), box=(0, 0, 300, 3000)),
        row(query=Image.new("RGB", (1, 1), GREY)),
    ]
    sheet = results_sheet(rows, title="Needle", subtitle="six rows")
    assert sheet.width == WIDTH and sheet.height > 4 * one.height
    colours = {colour for _, colour in sheet.getcolors(maxcolors=10**7) or []}
    assert FOUND in colours and DOUBTFUL in colours


def test_a_long_path_on_the_sheet_keeps_the_name_of_its_file() -> None:
    letters = font(17)
    path = f"{'holiday photos of a year/' * 4}IMG 20240531 123456.jpg"
    folders, name = _wrapped(path, letters, 300)
    assert name == "IMG 20240531 123456.jpg"
    assert folders.startswith("holiday") and "\N{HORIZONTAL ELLIPSIS}" in folders
    (cut,) = _wrapped(f"{'a' * 80}-17.jpg", letters, 300)
    assert cut.startswith("aaa") and cut.endswith("-17.jpg")
    assert all(letters.getlength(line) <= 300 for line in (folders, name, cut))
    assert _wrapped("a/b.jpg", letters, 300) == ["a/b.jpg"]


def test_a_drawn_match_says_how_probable_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    labels: list[str] = []
    plain = draw.draw_box

    def noted(photo: Image.Image, box: Any, label: str = "", **options: Any) -> Image.Image:
        labels.append(label)
        return plain(photo, box, label, **options)

    monkeypatch.setattr(draw, "draw_box", noted)
    hit = {"box": [10, 10, 40, 40], "score": 0.58, "source": "tile"}
    raw = {"image_id": "a", "score": 0.58, "hits": [hit]}
    for more in ({"probability": 0.98}, {}):
        Match.from_json(raw | more).draw(image(100, 80))
    assert labels == ["98 %", "0.58"]
