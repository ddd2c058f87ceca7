"""For everyone: axe finds nothing, a phone needs no sideways scrolling, keys reach everything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser import deeds
from tests.browser.conftest import DESKTOP, PHONE

STILL = {"reduced_motion": "reduce"}
FORMS = {
    "desktop": {**DESKTOP, **STILL, "color_scheme": "light"},
    "desktop-dark": {**DESKTOP, **STILL, "color_scheme": "dark"},
    "phone": {**PHONE, **STILL, "color_scheme": "light"},
    "phone-dark": {**PHONE, **STILL, "color_scheme": "dark"},
}


def _check(page: Page) -> None:
    """Fail on what axe finds, and on a page wider than the screen."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]


@pytest.mark.parametrize("form", FORMS)
def test_every_state_is_accessible(opened: Callable, samples: Path, form: str) -> None:
    options: dict[str, Any] = FORMS[form]
    page, _ = opened("/", **options)
    expect(page.locator("#library .tile").first).to_be_visible()
    page.locator("#status").click()
    expect(page.locator("#state-panel")).to_be_visible()
    _check(page)
    page.keyboard.press("Escape")
    page.locator("#select").click()
    page.locator("#library .open").first.click()
    _check(page)
    page.locator("#tag-selected").click()
    expect(page.locator("#tags")).to_be_visible()
    _check(page)
    page.keyboard.press("Escape")
    page.locator("#select-done").click()
    page.locator("#details summary").click()
    _check(page)
    page.locator("#options summary").click()
    page.get_by_role("button", name="Add a condition").click()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    page.locator("#box-row summary").click()
    page.locator("#extras summary").click()
    page.set_input_files("#examples-input", samples / "queries" / "box.jpg")
    expect(page.locator("#examples img")).to_be_visible()
    _check(page)
    page.locator("#groups .open").first.click()
    expect(page.locator("#viewer")).to_be_visible()
    _check(page)
    page.keyboard.press("Escape")
    page.locator("#manage").click()
    _check(page)


@pytest.mark.parametrize("form", ["desktop-dark", "phone"])
def test_what_was_not_found_is_accessible(opened: Callable, samples: Path, form: str) -> None:
    page, _ = opened("/", **FORMS[form])
    query = samples / "queries" / "absent.jpg"
    deeds.open_search(page, query, verify_budget_ms="1", detect="true")
    expect(page.locator("#time-up")).to_be_visible()
    expect(page.locator(".things img").first).to_be_visible()
    deeds.unfold(page)
    _check(page)


def test_an_empty_collection_is_accessible(opened: Callable) -> None:
    page, _ = opened("/?collection=empty", **FORMS["phone"])
    expect(page.locator("#library-empty")).to_be_visible()
    _check(page)


def test_a_search_is_made_by_keys_alone(opened: Callable) -> None:
    page, _ = opened()
    expect(page.locator("#library .tile").first).to_be_visible()
    page.locator("#library .open").first.focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Search with").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#query-stage .sheet")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    deeds.wait_for_result(page)
    page.locator("#groups .open").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#view-facts")).to_contain_text("2 of")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()


def test_what_was_found_is_announced(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    expect(page.locator("#live")).to_contain_text(
        "Found in 1 image. 1 image shown, 3 more that look a little like it."
    )


@pytest.mark.parametrize("form", ["phone"])
def test_a_box_is_drawn_by_touch(opened: Callable, form: str) -> None:
    page, _ = opened("/", **FORMS[form])
    deeds.pick(page, "01-grocery.jpg")
    area = page.locator("#query-stage .sheet").bounding_box()
    assert area is not None
    session = page.context.new_cdp_session(page)
    for kind, share in (("Start", 0.2), ("Move", 0.4), ("Move", 0.6)):
        x, y = area["x"] + share * area["width"], area["y"] + share * area["height"]
        point = {"type": f"touch{kind}", "touchPoints": [{"x": x, "y": y}]}
        session.send("Input.dispatchTouchEvent", point)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    left, top, right, bottom = deeds.box(page)
    assert abs(left - 240) < 16 and abs(top - 160) < 16
    assert abs(right - 720) < 16 and abs(bottom - 480) < 16
