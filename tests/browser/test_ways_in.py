"""Ways to a query beside a file: an address on the web, pasted or typed; the camera of a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from tests.browser import deeds
from tests.browser.conftest import PHONE

URL = "https://images.example.org/shelf/corn%20box.jpg?size=2"


def _paste(page: Page) -> None:
    page.evaluate("text => navigator.clipboard.writeText(text)", URL)
    page.keyboard.press("Control+V")


def _type(page: Page) -> None:
    page.fill("#find-url", URL)
    page.press("#find-url", "Enter")


@pytest.mark.parametrize("give", [_paste, _type])
def test_an_image_on_the_web_is_looked_for_by_its_address(
    opened: Callable, samples: Path, give: Callable[[Page], None]
) -> None:
    page, _ = opened()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked: list[Any] = []
    answer = page.request.post("/api/v1/search", multipart={"file": _file(samples)}).json()
    answer["result"]["query"].update(url=URL, filename=None)
    answer["result"]["urls"]["query"] = None

    def downloaded(route: Route) -> None:  # no test reaches another host
        asked.append(route.request.post_data_json)
        route.fulfill(json=answer)

    page.route("**/api/v1/search", downloaded)
    page.route(re.compile(r"/api/v1/jobs/\w+$"), lambda route: route.fulfill(json=answer))
    give(page)
    deeds.wait_for_result(page)
    assert [body["url"] for body in asked] == [URL]
    expect(page.locator("#query-name")).to_have_text("corn box.jpg")
    expect(page.locator("#query-hint")).to_contain_text("downloads it from images.example.org")
    expect(page.locator("#query-stage")).to_be_hidden()
    page.reload()
    deeds.wait_for_result(page)
    expect(page.locator("#query-name")).to_have_text("corn box.jpg")
    page.click("#query-clear")
    expect(page.locator("#find-url")).to_be_visible()


def _file(samples: Path) -> dict[str, Any]:
    content = (samples / "queries" / "box.jpg").read_bytes()
    return {"name": "box.jpg", "mimeType": "image/jpeg", "buffer": content}


def test_an_address_that_is_none_or_is_refused_says_so(opened: Callable) -> None:
    page, watch = opened()
    page.fill("#find-url", "corn box")
    page.click("#find-url-go")
    expect(page.locator("#find-url-text")).to_contain_text("Paste the whole address")
    watch.allow("status of 4.. .*/api/v1/search")
    page.fill("#find-url", "http://127.0.0.1/box.jpg")
    page.click("#find-url-go")
    expect(page.get_by_role("alert")).to_contain_text("not public")


def test_text_that_is_typed_or_no_address_is_not_taken(opened: Callable) -> None:
    page, _ = opened()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    searches: list[Request] = []
    page.on("request", lambda r: searches.append(r) if r.url.endswith("/search") else None)
    page.focus("#find-url")
    page.evaluate("text => navigator.clipboard.writeText(text)", URL)
    page.keyboard.press("Control+V")
    expect(page.locator("#find-url")).to_have_value(URL)
    page.evaluate("navigator.clipboard.writeText('a red kettle')")
    page.locator("#work").focus()
    page.keyboard.press("Control+V")
    expect(page.locator("#find")).to_be_visible()
    assert searches == []


def test_a_phone_takes_the_query_with_its_camera(opened: Callable, samples: Path) -> None:
    page, _ = opened("/", **PHONE)
    camera = page.locator("#camera-input")
    expect(page.locator("#camera")).to_be_visible()
    expect(camera).to_have_attribute("capture", "environment")
    camera.set_input_files(samples / "queries" / "box.jpg")
    deeds.wait_for_result(page)
    expect(page.locator("#query-name")).to_have_text("box.jpg")
    desk, _ = opened()
    expect(desk.locator("#camera")).to_be_hidden()


def test_a_query_that_the_browser_cannot_show_is_shown_once_it_was_searched_with(
    opened: Callable, samples: Path, tmp_path: Path
) -> None:
    scan = tmp_path / "scan.tif"
    Image.open(samples / "queries" / "box.jpg").save(scan)
    page, _ = opened()
    deeds.look_for(page, scan)
    deeds.shows_image(page, "#query-stage img")
    deeds.shows_image(page, ".hero .pair figure:first-child img")
    expect(page.locator("#query-hint")).to_contain_text("Draw a box")
    with Image.open(scan) as image:
        size = image.size
    deeds.drag(page, "#query-stage", (0.0, 0.0), (1.0, 1.0))
    assert deeds.box(page) == [0, 0, *size], "a box is in the pixels of the file"
    page.reload()
    deeds.wait_for_result(page)
    deeds.shows_image(page, "#query-stage img")
