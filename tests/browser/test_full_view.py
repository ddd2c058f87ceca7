"""The full view: its address, the way back from it, the places and the regions that it lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser import deeds
from tests.browser.conftest import PHONE


def _open_second(page: Page, samples: Path) -> str:
    """Look for what is not there, open the second result, and return the name of its image."""
    deeds.look_for(page, samples / "queries" / "absent.jpg")
    deeds.unfold(page)
    second = page.locator("#groups .tile").nth(1)
    second.locator(".open").click()
    expect(page.locator("#viewer")).to_be_visible()
    return second.locator(".name").text_content() or ""


def test_back_closes_the_full_view_and_forward_opens_it(opened: Callable, samples: Path) -> None:
    page, _ = opened("/", **PHONE)
    name = _open_second(page, samples)
    address = page.url
    assert "view=" in address
    with page.expect_request(lambda _: True, timeout=60_000):  # turning is no step of the history
        page.click("#view-after")
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    assert "view=" not in page.url and "job=" in page.url
    expect(page.locator("#results-title")).to_have_text("Probably not in these images")
    page.go_forward()
    expect(page.locator("#viewer")).to_be_visible()
    expect(page.locator("#view-title")).not_to_have_text(name)  # the one that was turned to
    page.go_back()
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#images")).to_be_visible()


def test_to_close_the_full_view_leaves_no_step_behind(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    start = page.url
    _open_second(page, samples)
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "view=" not in url)
    expect(page.locator("#groups .open").nth(1)).to_be_focused()
    page.go_back()
    expect(page.locator("#images")).to_be_visible()
    assert page.url == start


def test_a_full_view_that_was_reloaded_is_closed_by_one_step_back(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened()
    name = _open_second(page, samples)
    page.reload()
    expect(page.locator("#view-title")).to_have_text(name)
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "view=" not in url)
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#results-title")).to_have_text("Probably not in these images")
    page.go_back()
    expect(page.locator("#images")).to_be_visible()


def test_a_link_to_the_full_view_opens_it_on_its_result(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    name = _open_second(page, samples)
    other, _ = opened(page.url)
    for _ in ("opened", "reloaded"):
        expect(other.locator("#view-title")).to_have_text(name)
        expect(other.locator("#view-places .place").first).to_be_visible()
        expect(other).to_have_title(f"{name} · default · Needle")
        other.reload()
    expect(other.locator("#view-title")).to_have_text(name)
    other.click("#view-close")
    other.wait_for_url(lambda url: "view=" not in url)
    expect(other.locator("#results-title")).to_have_text("Probably not in these images")


def test_an_indexed_image_has_a_link_too(opened: Callable) -> None:
    page, _ = opened()
    page.get_by_role("button", name="Open 02-meadow.jpg").click()
    expect(page.locator("#viewer")).to_be_visible()
    other, _ = opened(page.url)
    expect(other.locator("#view-title")).to_have_text("02-meadow.jpg")
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#images")).to_be_visible()


def test_a_link_to_an_image_that_is_gone_says_so_on_the_page(opened: Callable) -> None:
    page, watch = opened()
    watch.allow("status of 404 .*/api/v1/images/")
    page.goto("/?view=00000000-0000-5000-8000-000000000000")
    page.wait_for_url(lambda url: "view=" not in url)
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#gone")).to_contain_text("not in “default”. It may have been deleted.")
    expect(page.locator("#library .tile")).to_have_count(4)
    page.click("#select")
    expect(page.locator("#gone")).to_be_hidden()


def test_back_from_a_search_made_in_the_full_view_is_the_full_view(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened()
    name = _open_second(page, samples)
    page.click("#view-search")
    page.wait_for_url(re.compile(r"image=.*box="))
    expect(page.locator("#viewer")).to_be_hidden()
    assert "view=" not in page.url
    page.go_back()
    expect(page.locator("#view-title")).to_have_text(name)
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#query-name")).to_have_text("absent.jpg")


def test_all_places_are_shown_when_they_are_asked_for(opened: Callable) -> None:
    page, _ = opened()

    def counted(result: Any) -> None:
        for match in result["matches"][:1]:
            match["hits"] = match["hits"][:1] * len(asked)
            match["count"] = 2

    asked: list[int] = [6]
    deeds.altered(page, counted)
    deeds.pick(page, "01-grocery.jpg")
    page.locator("#query-stage .sheet").press("ArrowRight")
    page.click("#search")
    deeds.wait_for_result(page)
    expect(page.locator("#groups .facts").first).to_contain_text("1 of 2 places shown")
    page.locator("#groups .open").first.click()
    expect(page.locator("#view-count")).to_contain_text("1 of 2 places shown")
    with page.expect_request("**/api/v1/search") as request:
        asked.append(0)
        page.get_by_role("button", name="Show all 2").click()
    assert request.value.post_data_json["hits_per_image"] == 2
    expect(page.locator("#view-count")).to_have_text("2 places")
    expect(page.locator("#view-title")).to_have_text("01-grocery.jpg")
    expect(page.locator("#view-places .place")).to_have_count(2)


def test_regions_are_listed_the_largest_first_and_one_is_near(opened: Callable) -> None:
    page, _ = opened()

    def detected(route: Any) -> None:
        record = route.fetch().json()
        record["regions"] = [
            {"box": box, "source": "detector", "label": label, "confidence": 0.8, "urls": {}}
            for label, box in (("tin", [300, 200, 500, 400]), ("crate", [100, 100, 700, 600]))
        ]
        route.fulfill(json=record)

    page.route(re.compile(r"/api/v1/images/[0-9a-f-]+$"), detected)
    page.get_by_role("button", name="Open 01-grocery.jpg").click()
    regions = page.locator("#view-region-list .place")
    expect(regions.locator("strong")).to_have_text(["1. crate", "2. tin"])
    outlines = page.locator("#view-stage .region:not(.faint)")
    expect(outlines).to_have_count(1)  # the tin lies in the crate
    tag, near = page.locator("#view-stage .region-tag"), page.locator("#view-stage .region.near")
    expect(near).to_have_count(0)
    regions.nth(1).focus()
    expect(tag).to_have_text("2. tin 80 %")
    expect(near).to_have_attribute("x", "300")
    regions.nth(0).hover()
    expect(tag).to_have_text("1. crate 80 %")
    regions.nth(1).click()
    expect(page.locator("#view-search-words")).to_have_text("Search with this box")
    page.click("#view-search")
    page.wait_for_url(re.compile("box=300,200,500,400"))


def test_of_many_regions_the_surest_are_listed_below_the_tags(opened: Callable) -> None:
    page, _ = opened()

    def many(route: Any) -> None:
        record = route.fetch().json()
        record["regions"] = [
            {
                "box": [n, n, 60 + n, 90],
                "source": "detector",
                "label": "object",
                "confidence": n / 30,
            }
            for n in range(30)
        ]
        route.fulfill(json=record)

    page.route(re.compile(r"/api/v1/images/[0-9a-f-]+(\?|$)"), many)
    page.locator("#library .open").first.click()
    regions = page.locator("#view-region-list .place")
    expect(regions).to_have_count(24)
    expect(page.locator("#view-regions-text")).to_contain_text("The 24 surest of 30")
    expect(regions.filter(has_text="· 20 % sure")).to_have_count(1)
    expect(page.get_by_role("button", name="Edit tags")).to_be_in_viewport()
    page.get_by_role("button", name="Show all 30").click()
    expect(regions).to_have_count(30)
    expect(regions.nth(24)).to_be_focused()
