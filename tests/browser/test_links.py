"""The link to a search: opened anywhere, it shows the image, its box and what was found."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import deeds


def _labels(page: Page) -> list[str | None]:
    return [tile.get_attribute("aria-label") for tile in page.locator("#groups .open").all()]


def test_a_link_shows_the_image_and_its_box_in_another_browser(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    deeds.drag(page, "#query-stage", (0.2, 0.2), (0.8, 0.8))
    with page.expect_response(re.compile("/api/v1/search")):
        page.click("#search")
    deeds.wait_for_result(page)
    page.wait_for_url(re.compile(r"\?job=\w+&box="))
    box, labels = deeds.box(page), _labels(page)

    other, _ = opened(page.url)
    for _ in ("opened", "reloaded"):
        deeds.wait_for_result(other)
        expect(other.locator("#query-name")).to_have_text("box.jpg")
        deeds.shows_image(other, "#query-stage img")
        deeds.shows_image(other, "#results-query img")
        assert deeds.box(other) == box
        expect(other.locator("#query-stage .box")).to_be_visible()
        assert _labels(other) == labels
        other.reload()


def test_what_a_link_shows_can_be_searched_with_again(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    other, _ = opened(page.url)
    deeds.wait_for_result(other)
    other.click("#options summary")
    other.fill("#limit", "1")
    other.click("#search")
    first = page.url.split("job=")[1][:32]
    other.wait_for_url(lambda url: "limit=1" in url and "job=" in url and first not in url)
    expect(other.locator("#groups .open")).to_have_count(1)


def test_a_search_that_a_program_made_can_be_opened(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    content = (samples / "queries" / "box.jpg").read_bytes()
    form = {"file": {"name": "of-a-program.jpg", "mimeType": "image/jpeg", "buffer": content}}
    answer = page.request.post(
        "/api/v1/search", multipart={**form, "box": "10,10,60,60", "limit": "2"}
    )
    page.goto(f"/?job={answer.json()['job_id']}")
    deeds.wait_for_result(page)
    expect(page.locator("#query-name")).to_have_text("of-a-program.jpg")
    assert deeds.box(page) == [10, 10, 60, 60]


def test_a_link_that_has_expired_says_so(opened: Callable) -> None:
    page, watch = opened()
    watch.allow("status of 404 .*/api/v1/jobs/")
    page.goto("/?job=00000000000000000000000000000000")
    expect(page.get_by_role("alert")).to_contain_text("This link has expired")


def test_a_link_to_an_image_with_a_box_draws_it_and_searches(opened: Callable) -> None:
    page, _ = opened()
    image_id = page.request.get("/api/v1/images?limit=1").json()["images"][0]["image_id"]
    page.goto(f"/?image={image_id}&box=100,120,400,380&limit=2")
    deeds.wait_for_result(page)
    assert deeds.box(page) == [100, 120, 400, 380]
    deeds.unfold(page)
    expect(page.locator("#groups .open")).to_have_count(2)
    expect(page.locator("#limit")).to_have_value("2")


@pytest.mark.parametrize(
    ("address", "refusal", "words"),
    [
        ("/?image=00000000-0000-5000-8000-000000000000", "404", "is not indexed any more"),
        ("/?text=a+red+kettle", "422", "cannot search by text"),
    ],
)
def test_a_link_that_cannot_be_followed_says_why(
    opened: Callable, address: str, refusal: str, words: str
) -> None:
    page, watch = opened()
    watch.allow(f"status of {refusal} .*/api/v1/")
    page.goto(address)
    expect(page.get_by_role("alert")).to_contain_text(words)
