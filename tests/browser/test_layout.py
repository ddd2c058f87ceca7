"""Every control can be reached: inside the screen, and under nothing else, at four widths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import server
from tests.browser.conftest import PHONE

SCREENS: dict[str, dict[str, Any]] = {
    "390": PHONE,
    "820": {"viewport": {"width": 820, "height": 1180}},
    "1440": {"viewport": {"width": 1440, "height": 900}},
    "1920": {"viewport": {"width": 1920, "height": 1080}},
}
# Each control is brought into view as focus would bring it; then its box has to be on the screen,
# and what a finger would hit in its middle has to be the control itself.
FAULTS = """
() => {
  const controls = "button, a[href], input, select, textarea, summary, [role=tab]";
  const host = document.querySelector("dialog[open], :popover-open") ?? document;
  const faults = [];
  for (const control of host.querySelectorAll(controls)) {
    const seen = control.matches("[type=file]") ? control.closest("label") ?? control : control;
    if (control.closest(".skip") || !seen.checkVisibility()) continue;
    seen.scrollIntoView({ block: "nearest", behavior: "instant" });
    const box = seen.getBoundingClientRect();
    const name = control.getAttribute("aria-label") || control.id || control.textContent.trim();
    const inside = box.left >= -1 && box.top >= -1
      && box.right <= innerWidth + 1 && box.bottom <= innerHeight + 1;
    if (!inside) faults.push(`${name} is outside: ${JSON.stringify(box)}`);
    if (box.width < 8 || box.height < 12) faults.push(`${name} is ${box.width} x ${box.height}`);
    const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    const through = control.disabled || hit?.matches("label"); // what is off lets a finger through
    const own = hit && (seen.contains(hit) || (through && hit.contains(seen)));
    if (!own) faults.push(`${name} is under ${hit?.outerHTML.slice(0, 120)}`);
  }
  const width = document.documentElement.scrollWidth;
  if (width > innerWidth) faults.push(`the page is ${width} wide on a screen of ${innerWidth}`);
  return faults;
}
"""


def _reachable(page: Page) -> None:
    faults = page.evaluate(FAULTS)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("screen", SCREENS)
def test_an_empty_collection(opened: Callable, screen: str) -> None:
    page, _ = opened("/?collection=empty", **SCREENS[screen])
    expect(page.locator("#library-empty")).to_be_visible()
    _reachable(page)
    for fold in ("#details", "#options"):
        page.locator(f"{fold} > summary").click()
    page.get_by_role("button", name="Add a tag").click()
    page.get_by_role("button", name="Add a condition").click()
    _reachable(page)
    page.click("#manage")
    _reachable(page)


@pytest.mark.parametrize("screen", SCREENS)
def test_an_upload_in_progress(
    opened: Callable, samples: Path, stack: server.Running, tmp_path: Path, screen: str
) -> None:
    page, _ = opened(f"/?collection=layout-{screen}", **SCREENS[screen])
    broken = tmp_path / "a-image-with-a-rather-long-name-that-is-no-image-at-all_0001.jpg"
    broken.write_text("no photo")
    with stack.paused("index"):
        page.set_input_files("#add-input", [min((samples / "photos").iterdir()), broken])
        expect(page.locator(".job .failures li")).to_have_count(1)
        expect(page.locator("#empty-title")).to_have_text("Your first images are being indexed")
        _reachable(page)
        page.locator(".job").get_by_role("button", name="Cancel").click()
        expect(page.locator(".job .line")).to_contain_text("Cancelled")
        _reachable(page)


@pytest.mark.parametrize("screen", SCREENS)
def test_images_and_a_selection_of_them(opened: Callable, screen: str) -> None:
    page, _ = opened("/", **SCREENS[screen])
    expect(page.locator("#library .tile")).to_have_count(4)
    _reachable(page)
    page.click("#select")
    page.locator("#library .open").first.click()
    expect(page.locator("#delete")).to_have_text("Delete 1 image")
    _reachable(page)
    page.click("#tag-selected")
    _reachable(page)
    page.click("#tags-cancel")
    page.click("#delete")
    _reachable(page)
    page.click("#confirm-no")
    page.click("#select-done")
    page.click("#status")
    _reachable(page)


@pytest.mark.parametrize("width", [390, 500])
def test_a_selection_has_two_rows_on_a_phone(opened: Callable, width: int) -> None:
    page, _ = opened("/", **{**PHONE, "viewport": {"width": width, "height": 844}})
    page.click("#select")

    def rows() -> list[list[str]]:
        """Return the names of what is in the bar, row by row, as they are seen."""
        names = ("selection-text", "select-all", "select-done", "tag-selected", "delete")
        found: dict[int, list[tuple[float, str]]] = {}
        for name in names:
            box = page.locator(f"#{name}").bounding_box()
            assert box
            middle = round((box["y"] + box["height"] / 2) / 12)
            found.setdefault(middle, []).append((box["x"], name))
        return [[name for _, name in sorted(found[row])] for row in sorted(found)]

    wanted = [["selection-text", "select-all", "select-done"], ["tag-selected", "delete"]]
    assert rows() == wanted
    page.click("#select-all")
    expect(page.locator("#select-all")).to_have_text("Select none")
    assert rows() == wanted
    page.keyboard.press("Tab")
    expect(page.locator("#select-done")).to_be_focused()


@pytest.mark.parametrize("screen", SCREENS)
def test_the_api_and_an_address_that_is_not_there(opened: Callable, screen: str) -> None:
    page, watch = opened("/docs", **SCREENS[screen])
    expect(page.locator(".call").first).to_be_visible()
    _reachable(page)
    page.locator(".call > summary").first.click()
    _reachable(page)
    watch.allow("status of 404")
    page.goto("/nothing")
    expect(page.locator("h1")).to_have_text("There is nothing here")
    _reachable(page)
    page.get_by_role("link", name="To the start page").click()
    expect(page.locator("#library .tile")).to_have_count(4)
