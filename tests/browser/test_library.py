"""The images of a collection: opened, sorted, selected, tagged; and where the reader is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import server

LONG = "2024-05-31_Holiday at the lake with everybody and the dog_IMG_20240531_183500.jpg"


@pytest.fixture(scope="module")
def three(samples: Path, service: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the name of a collection with three images; they share one tag of two."""
    folder = tmp_path_factory.mktemp("photos")
    names = (LONG, "IMG_9.jpg", "IMG_10.jpg")
    for name, image in zip(names, sorted((samples / "photos").iterdir()), strict=False):
        shutil.copy(image, folder / name)
        tags = json.dumps({"trip": "Lugano", "day": int(image.name[:2])})
        server.index(service, [folder / name], collection="three", metadata=tags)
    return "three"


def _tags(page: Page) -> list[dict]:
    images = page.request.get("/api/v1/images?collection=three&sort=name").json()["images"]
    return [image["metadata"] for image in images]


def test_a_click_opens_an_image(opened: Callable) -> None:
    page, _ = opened()
    name = page.locator("#library .name").nth(1).inner_text()
    page.get_by_role("button", name=f"Open {name}").click()
    expect(page.locator("#view-title")).to_have_text(name)
    expect(page.locator("#view-facts")).to_contain_text("2 of 4")


def test_names_keep_their_ends_and_are_whole_under_the_focus(opened: Callable, three: str) -> None:
    page, _ = opened(f"/?collection={three}")
    tile = page.locator("#library .held", has_text="IMG_20240531_183500.jpg")
    name = tile.locator(".name")
    short = name.inner_text()
    assert "…" in short and short.startswith("2024-05-31") and short.endswith("183500.jpg")
    box = name.bounding_box()
    assert box and box["height"] < 40  # two lines
    tile.locator(".open").focus()
    expect(tile.locator(".full")).to_have_text(LONG)
    expect(tile.locator(".full")).to_be_visible()


def test_images_are_sorted_by_name_as_people_count(opened: Callable, three: str) -> None:
    page, _ = opened(f"/?collection={three}")
    page.select_option("#sort", "name")
    names = page.locator("#library .name")
    expect(names.nth(1)).to_have_text("IMG_9.jpg")
    expect(names.nth(2)).to_have_text("IMG_10.jpg")
    page.select_option("#sort", "date")
    expect(page.locator("#library-text")).to_have_text("3 images, none with a date")


def test_the_date_taken_is_read_where_it_is_wanted(opened: Callable, tmp_path: Path) -> None:
    page, _ = opened("/?collection=dated")
    for day, colour in ((1, "red"), (2, "green")):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:0{day} 10:00:00"
        exif[0x0110] = "Box Brownie"
        Image.new("RGB", (320, 240), colour).save(tmp_path / f"{day}.jpg", exif=exif)
    page.click("#details summary")
    expect(page.get_by_label("Date taken")).to_be_checked()
    page.get_by_label("Camera").check()
    page.set_input_files("#add-input", [tmp_path / "2.jpg", tmp_path / "1.jpg"])
    expect(page.locator(".job .line")).to_have_text("2 images ready.", timeout=300_000)
    page.select_option("#sort", "date")
    expect(page.locator("#library .name").first).to_have_text("2.jpg")
    images = page.request.get("/api/v1/images?collection=dated&sort=date").json()["images"]
    assert [image["metadata"]["date"] for image in images] == [20240502, 20240501]
    assert images[0]["metadata"]["camera"] == "Box Brownie"
    page.reload()
    page.click("#details summary")
    expect(page.get_by_label("Camera")).to_be_checked()


def test_a_tag_that_cannot_be_is_said_before_anything_is_sent(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened("/?collection=badly-tagged")
    page.click("#details summary")
    page.get_by_role("button", name="Add a tag").click()
    page.fill("#metadata [name=key]", "my shop")
    page.fill("#metadata [name=value]", "Basel")
    page.set_input_files("#add-input", min((samples / "photos").iterdir()))
    expect(page.locator("#metadata-text")).to_contain_text("“my shop” cannot be the name of a tag")
    expect(page.locator(".job")).to_have_count(0)


def test_several_images_are_tagged_together(opened: Callable, three: str) -> None:
    page, _ = opened(f"/?collection={three}")
    page.click("#select")
    page.click("#select-all")
    expect(page.locator("#selection-text")).to_have_text("3 selected")
    page.click("#tag-selected")
    expect(page.locator("#tags-title")).to_have_text("Tags of 3 images")
    expect(page.locator("#tags-about")).to_contain_text("stay as they are: day.")
    rows = page.locator("#tags-rows .row")
    expect(rows).to_have_count(1)
    rows.locator("[name=value]").fill("")
    page.get_by_role("button", name="Add a tag").last.click()
    rows.nth(1).locator("[name=key]").fill("a place")
    rows.nth(1).locator("[name=value]").fill("Locarno")
    page.click("#tags-save")
    expect(page.locator("#tags-text")).to_contain_text("“a place” cannot be the name of a tag")
    rows.nth(1).locator("[name=key]").fill("place")
    page.click("#tags-save")
    expect(page.locator("#tags")).to_be_hidden(timeout=120_000)
    tags = _tags(page)
    assert {each["place"] for each in tags} == {"Locarno"}
    assert sorted(each["day"] for each in tags) == [1, 2, 3]
    assert not any("trip" in each for each in tags)
    page.click("#tag-selected")
    expect(rows.locator("[name=value]")).to_have_value("Locarno")


def test_all_are_selected_and_none(opened: Callable) -> None:
    page, _ = opened()
    page.click("#select")
    expect(page.locator("#select-all")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#delete")).to_have_text("Delete 4 images")
    expect(page.locator("#library .open[aria-pressed=true]")).to_have_count(4)
    page.get_by_role("button", name="Select none").click()
    expect(page.locator("#delete")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(page.locator("#select")).to_be_focused()
    expect(page.locator("#library .open[aria-pressed]")).to_have_count(0)


def test_the_title_says_where_the_reader_is(opened: Callable, samples: Path, three: str) -> None:
    page, _ = opened(f"/?collection={three}")
    expect(page).to_have_title("Images · three · Needle")
    page.select_option("#collection", "default")
    expect(page).to_have_title("Images · default · Needle")
    page.set_input_files("#find-input", samples / "queries" / "box.jpg")
    expect(page).to_have_title(re.compile(r"box\.jpg · default · Needle$"))
    page.goto("/docs")
    expect(page).to_have_title("API · Needle")
