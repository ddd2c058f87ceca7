"""Searches: by image, by box, by link; what the page says of what was found."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Route, expect

from tests.browser import deeds


def test_a_small_image_is_found_and_says_how_sure_that_is(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    best = page.locator("#groups .open").first
    expect(best).to_have_attribute("aria-label", re.compile("01-grocery.jpg"))
    expect(page.locator("#results-title")).to_have_text("Found in 1 image")
    sure = page.locator(".hero .score")
    expect(sure).to_have_text(re.compile(r"^(over )?\d+\s% likely$"))
    expect(sure).to_have_attribute("title", re.compile(r"score \d\.\d\d"))


def test_an_image_chosen_while_the_page_still_opens_is_not_lost(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened()
    held: list[Route] = []
    page.route(re.compile("/api/v1/collections$"), lambda route: held.append(route))
    page.reload()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    assert held, "nothing was held back: the page opens in another way now"
    with page.expect_response(re.compile(r"/api/v1/images\?")):  # what opening asks for at last
        for route in held:
            route.continue_()
    expect(page.locator("#query-name")).to_have_text("box.jpg")
    expect(page.locator("#groups .open").first).to_be_visible()


def test_an_image_is_pasted(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    deeds.copy_image(page, samples / "queries" / "box.jpg")
    page.keyboard.press("Control+V")
    deeds.wait_for_result(page)
    expect(page.locator("#query-name")).to_have_text("image.png")
    deeds.shows_image(page, "#query-stage img")
    best = page.locator("#groups .open").first
    expect(best).to_have_attribute("aria-label", re.compile("01-grocery.jpg"))


def test_a_dropped_image_is_looked_for_and_dropped_images_are_added(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened("/?collection=dropped")
    content = list(min((samples / "photos").iterdir()).read_bytes())
    transfer = page.evaluate_handle(
        """bytes => {
          const transfer = new DataTransfer();
          const content = [new Uint8Array(bytes)];
          transfer.items.add(new File(content, "dropped.jpg", {type: "image/jpeg"}));
          return transfer;
        }""",
        content,
    )
    page.dispatch_event("#work", "drop", {"dataTransfer": transfer})
    expect(page.locator(".job .line")).to_have_text("1 image ready.", timeout=300_000)
    page.dispatch_event("#find", "drop", {"dataTransfer": transfer})
    deeds.wait_for_result(page)
    expect(page.locator("#query-name")).to_have_text("dropped.jpg")


def test_back_and_forth_go_through_the_searches(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    first = page.url
    deeds.pick(page, "02-meadow.jpg")
    page.click("#search")
    page.wait_for_url(re.compile("image="))
    page.go_back()
    assert page.url == first
    expect(page.locator("#query-name")).to_have_text("box.jpg")
    page.go_back()
    expect(page.locator("#images")).to_be_visible()
    expect(page.locator("#find")).to_be_visible()


def test_a_box_is_drawn_moved_and_resized_by_keys(opened: Callable) -> None:
    page, _ = opened()
    deeds.pick(page, "01-grocery.jpg")
    sheet = page.locator("#query-stage .sheet")
    sheet.focus()
    page.keyboard.press("ArrowRight")
    assert deeds.box(page) == [400, 267, 800, 533]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+ArrowDown")
    assert deeds.box(page) == [412, 268, 812, 534]
    page.keyboard.press("Shift+ArrowLeft")
    assert deeds.box(page) == [412, 268, 800, 534]
    page.keyboard.press("Escape")
    assert deeds.box(page) == [-1, -1, -1, -1]
    page.click("#box-row summary")
    for name, value in (("x1", 10), ("y1", 20), ("x2", 300), ("y2", 9999)):
        page.fill(f"#box-{name}", str(value))
    page.press("#box-y2", "Tab")
    assert deeds.box(page) == [10, 20, 300, 800]
    sheet.focus()
    page.keyboard.press("Enter")
    deeds.wait_for_result(page)
    assert "box=10,20,300,800" in page.url


def test_a_box_drawn_in_the_full_view_is_searched_with(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    page.locator("#groups .open").first.click()
    expect(page.locator("#view-places .place").first).to_be_visible()
    page.click("#view-in")
    page.click("#view-fit")
    page.click("#tool-draw")
    deeds.drag(page, "#view-stage", (0.1, 0.1), (0.3, 0.4))
    page.get_by_role("button", name="Search with this box").click()
    page.wait_for_url(re.compile(r"image=.*box="))
    deeds.wait_for_result(page)
    expect(page.locator("#viewer")).to_be_hidden()
    left, top, right, bottom = deeds.box(page)
    assert abs(left - 120) < 8 and abs(top - 80) < 8
    assert abs(right - 360) < 8 and abs(bottom - 320) < 8


def test_a_detected_region_is_picked_by_a_click_or_from_the_list(opened: Callable) -> None:
    page, _ = opened()

    def detected(route: Route) -> None:
        record = route.fetch().json()
        boxes = [("crate", [100, 100, 700, 600]), ("tin", [300, 200, 500, 400])]
        record["regions"] = [
            {"box": box, "source": "detector", "label": label, "confidence": 0.8, "urls": {}}
            for label, box in boxes
        ]
        route.fulfill(json=record)

    page.route(re.compile(r"/api/v1/images/[0-9a-f-]+$"), detected)
    deeds.pick(page, "01-grocery.jpg")
    expect(page.locator("#query-hint")).to_contain_text("an outlined thing")
    area = page.locator("#query-stage .sheet").bounding_box()
    assert area is not None
    page.mouse.click(area["x"] + area["width"] / 3, area["y"] + area["height"] * 3 / 8)
    assert deeds.box(page) == [300, 200, 500, 400]
    page.select_option("#region-list", label="1. crate \u00b7\u00a080\u00a0% sure")
    assert deeds.box(page) == [100, 100, 700, 600]


def test_of_many_regions_the_surest_are_listed_and_all_can_be_clicked(opened: Callable) -> None:
    page, _ = opened()

    def many(route: Route) -> None:
        record = route.fetch().json()
        record["regions"] = [
            {"box": [n, 0, n + 40, 40], "source": "detector", "label": "object", "urls": {}}
            | {"confidence": (41 - n / 20) / 41}
            for n in range(0, 800, 20)
        ]
        route.fulfill(json=record)

    page.route(re.compile(r"/api/v1/images/[0-9a-f-]+(\?|$)"), many)
    deeds.pick(page, "01-grocery.jpg")
    options = page.locator("#region-list option")
    expect(options).to_have_count(25)
    expect(options.first).to_have_text("Choose one of the 24 surest \u2026")
    area = page.locator("#query-stage .sheet").bounding_box()
    assert area is not None
    page.mouse.click(area["x"] + area["width"] * 810 / 1200, area["y"] + 3)
    assert deeds.box(page) == [780, 0, 820, 40]  # the least sure of all
    expect(page.locator("#region-list")).to_have_value("")
    page.get_by_role("button", name="Show all 40").press("Enter")
    expect(page.locator("#region-list")).to_be_focused()
    expect(options).to_have_count(41)
    expect(options.first).to_have_text("Choose one of 40 \u2026")
    expect(page.locator("#region-more")).to_be_hidden()
    page.select_option("#region-list", "39")
    assert deeds.box(page) == [780, 0, 820, 40]


def test_the_things_that_a_search_told_apart_are_all_listed(opened: Callable) -> None:
    page, _ = opened()

    def apart(result: Any) -> None:
        sure = {"label": "object", "confidence": 0.5, "found": False, "probability": 0.1}
        result["objects"] = [{"box": [n, 0, n + 40, 40], **sure} for n in range(0, 600, 20)]

    deeds.altered(page, apart)
    deeds.pick(page, "01-grocery.jpg")
    page.click("#search")
    deeds.wait_for_result(page)
    options = page.locator("#region-list option")
    expect(options.first).to_have_text("Choose one of 30 \u2026")
    expect(options).to_have_count(31)
    expect(page.locator("#region-more")).to_be_hidden()


def test_the_name_of_a_region_is_not_cut_off_at_the_right(opened: Callable) -> None:
    page, _ = opened()

    def right(route: Route) -> None:
        record = route.fetch().json()
        record["regions"] = [
            {"box": [1140, 300, 1190, 400], "source": "detector", "label": "coffee mug"}
            | {"confidence": 0.8, "urls": {}}
        ]
        route.fulfill(json=record)

    page.route(re.compile(r"/api/v1/images/[0-9a-f-]+(\?|$)"), right)
    deeds.pick(page, "01-grocery.jpg")
    expect(page.locator("#region-list option")).to_have_count(2)
    page.locator("#region-list").focus()
    page.keyboard.press("ArrowDown")
    tag = page.locator("#query-stage .region-tag")
    expect(tag).to_have_text("1. coffee mug\u00a080\u00a0%")
    area, box = page.locator("#query-stage .sheet").bounding_box(), tag.bounding_box()
    assert area is not None and box is not None
    assert box["x"] + box["width"] <= area["x"] + area["width"] + 1
    assert box["x"] >= area["x"]


def test_a_filter_that_nothing_meets_says_so(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    page.click("#options summary")
    page.get_by_role("button", name="Add a condition").click()
    page.fill("#filter [name=key]", "shop")
    page.fill("#filter [name=value]", "Bern")
    page.set_input_files("#find-input", samples / "queries" / "box.jpg")
    expect(page.locator("#groups .empty")).to_contain_text("meets the filter")
    page.fill("#filter [name=value]", "Basel")
    page.click("#search")
    deeds.wait_for_result(page)


def test_words_are_refused_in_words_by_models_that_know_none(opened: Callable) -> None:
    page, _ = opened()
    page.click("#status")
    expect(page.locator("#mini")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Text").click()
    expect(page.locator("#words-why")).to_contain_text("NEEDLE_MODELS=standard")
    expect(page.locator("#search")).to_be_disabled()
    expect(page.locator("#extras")).to_be_hidden()


def test_what_is_not_there_is_not_called_found(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "absent.jpg")
    expect(page.locator("#results-title")).to_contain_text(re.compile("Probably not|Not found"))
