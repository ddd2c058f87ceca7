"""The client's command line and the pictures that it draws."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from client import __main__ as command
from client import api
from client.draw import DOUBTFUL, FOUND, draw_box, open_upright, outline
from client.sheet import WIDTH, Row, results_sheet

GREY = (120, 120, 120)


def picture(width: int, height: int, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), GREY).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def service(request: httpx.Request) -> httpx.Response:
    path = request.url.path
    progress = {"total": 1, "done": 1, "failed": 0}
    job = {"job_id": "j", "kind": "index", "status": "succeeded", "progress": progress}
    hit = {"box": [10, 10, 40, 30], "score": 0.91, "source": "tile"}
    match = {"image_id": "i", "score": 0.91, "filename": "shelf.jpg", "hits": [hit]}
    answers: dict[str, Any] = {
        "/api/v1/images": job,
        "/api/v1/jobs/j": job,
        "/api/v1/jobs/j/items": {"items": [{"index": 0, "name": "a", "status": "indexed"}]},
        "/api/v1/search": {**job, "kind": "search", "result": {"matches": [match]}},
        "/readyz": {"status": "ready", "models": {"name": "mini"}},
    }
    if path.endswith("/file"):
        return httpx.Response(200, content=picture(400, 300))
    return httpx.Response(200, json=answers[path])


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> None:
    made = api.Transport

    def transport(base_url: str, **options: Any) -> api.Transport:
        return made(base_url, **{**options, "transport": httpx.MockTransport(service)})

    monkeypatch.setattr(api, "Transport", transport)


@pytest.mark.usefixtures("served")
def test_a_folder_is_indexed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(9, 9))
    assert command.main(["index", str(tmp_path)]) == 0
    assert "1 indexed, 0 unchanged, 0 failed" in capsys.readouterr().out


@pytest.mark.usefixtures("served")
def test_a_search_prints_a_table_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "query.jpg").write_bytes(picture(30, 20))
    out = tmp_path / "result.png"
    assert command.main(["search", str(tmp_path / "query.jpg"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "shelf.jpg" in said and "0.910" in said and "10 10 40 30" in said
    assert open_upright(out).width == WIDTH


@pytest.mark.usefixtures("served")
def test_the_status_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["status"]) == 0
    assert "mini" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["status"], "No Needle answers at"),
        (["index", "nowhere.jpg"], "There is no file or folder nowhere.jpg"),
        (["index", "{empty}"], "There are no pictures"),
        (["search", "nowhere.jpg"], "nowhere.jpg"),
    ],
)
def test_errors_are_sentences(
    argv: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = ["--url", "http://127.0.0.1:9"]
    assert command.main(url + [arg.format(empty=tmp_path) for arg in argv]) == 1
    assert sentence in capsys.readouterr().err


# ---- drawing


def test_the_box_is_outlined_in_colour_and_the_rest_is_darkened() -> None:
    photo = Image.new("RGB", (600, 400), GREY)
    marked = draw_box(photo, (200, 100, 400, 300), "0.91", unit_px=2)
    assert marked.size == photo.size and photo.getpixel((5, 5)) == GREY
    assert marked.getpixel((300, 200)) == GREY, "what is inside stays as it was"
    assert marked.getpixel((10, 390))[0] < 100  # type: ignore[index]
    across = {marked.getpixel((x, 200)) for x in range(190, 202)}
    assert FOUND in across and (255, 255, 255) in across
    assert draw_box(photo, (200, 100, 400, 300), dim=False).getpixel((10, 390)) == GREY


@pytest.mark.parametrize("box", [(0, 0, 600, 400), (0, 0, 5, 5), (595, 395, 600, 400)])
def test_boxes_at_the_edges_can_be_drawn(box: tuple[int, int, int, int]) -> None:
    assert draw_box(Image.new("RGB", (600, 400)), box, "0.91").size == (600, 400)


def test_a_tiny_box_is_outlined_at_a_distance_within_the_photo() -> None:
    assert outline((50, 50, 54, 54), (100, 100), least_px=20) == (42, 42, 62, 62)
    assert outline((0, 0, 4, 4), (100, 100), least_px=20) == (0, 0, 12, 12)
    assert outline((10, 10, 60, 60), (100, 100), least_px=20) == (10, 10, 60, 60)


def test_photos_are_opened_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter turn
    assert open_upright(picture(40, 20, exif=exif)).size == (20, 40)
    with pytest.raises(OSError, match="cannot identify"):
        open_upright(b"no picture")


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


def test_a_sheet_has_a_card_for_each_row_whatever_the_pictures_are_like() -> None:
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


def test_the_address_follows_needle_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEEDLE_PORT", "8123")
    assert command._parser().parse_args(["status"]).url == "http://127.0.0.1:8123"
    monkeypatch.delenv("NEEDLE_PORT")
    assert os.environ.get("NEEDLE_PORT") is None
    assert command._parser().parse_args(["status"]).url == "http://127.0.0.1:8080"
