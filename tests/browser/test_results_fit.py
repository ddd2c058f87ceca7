"""What people see of a search holds at every width: nothing sticks out, is covered or cut off."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import deeds
from tests.browser.conftest import PHONE

LONG = "box-of-the-second-shelf-from-the-left-2024-05-31-IMG_{:04}.jpg"
SIZES: dict[int, dict[str, Any]] = {
    390: PHONE,
    820: {"viewport": {"width": 820, "height": 1180}, "has_touch": True},
    1440: {"viewport": {"width": 1440, "height": 900}},
    1920: {"viewport": {"width": 1920, "height": 1080}},
}
FAULTS = """() => {
  const root = document.querySelector("dialog[open]") ?? document.body;
  const wide = (each) => each.scrollWidth > each.clientWidth + 1;
  const name = (each) => each.id || each.getAttribute("aria-label") || each.textContent.trim();
  const controls = [...root.querySelectorAll("button, a, input, select, summary, .drop")]
    .filter((each) => each.checkVisibility() && !each.disabled && each.type !== "file")
    .filter((each) => !each.matches(".skip"));
  const faults = controls.flatMap((each) => {
    each.scrollIntoView({ block: "center", inline: "nearest" });
    const { left, right, top, bottom } = each.getBoundingClientRect();
    const found = [];
    if (left < -0.5 || right > innerWidth + 0.5) found.push("sticks out sideways");
    if (top < -0.5 && bottom > innerHeight + 0.5) found.push("is higher than the window");
    const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const own = at && (each.contains(at) || at.contains(each) && at.matches("label"));
    if (!own) found.push(`is covered by ${at?.outerHTML.slice(0, 80)}`);
    if (each.matches(".button") && wide(each)) found.push("cuts its words");
    return found.map((fault) => `${name(each)} ${fault}`);
  });
  for (const end of root.querySelectorAll(".name .tail")) {
    if (end.checkVisibility() && wide(end)) faults.push(`cut: ${end.textContent}`);
  }
  const holders = root.querySelectorAll("aside, .view-about, .query");
  for (const each of [document.documentElement, ...holders]) {
    if (wide(each)) faults.push(`${each.className || each.tagName} scrolls sideways`);
  }
  return [controls.length, faults];
}"""


def _check(page: Page) -> None:
    page.mouse.move(0, 0)
    controls, faults = page.evaluate(FAULTS)
    assert controls >= 10
    assert faults == []


def _with_long_names(page: Page) -> None:
    def rename(result: Any) -> None:
        for n, match in enumerate(result["matches"]):
            match["filename"] = LONG.format(n)
            if n % 2:  # as wide as a banner, as narrow as a door
                match["width"], match["height"] = (800, 4000) if n % 4 == 1 else (4000, 800)

    deeds.altered(page, rename)


@pytest.mark.parametrize("width", SIZES)
def test_what_was_found_and_its_full_view_fit(opened: Callable, samples: Path, width: int) -> None:
    page, _ = opened("/", **SIZES[width], reduced_motion="reduce")
    _with_long_names(page)
    deeds.open_search(page, samples / "queries" / "box.jpg")
    deeds.unfold(page)
    ends = page.locator("#groups .name .tail")
    expect(ends.first).to_be_visible()
    assert all(end.endswith(".jpg") for end in ends.all_text_contents())
    page.click("#options summary")
    page.click("#extras summary")
    _check(page)
    page.locator("#groups .open").first.click()
    expect(page.locator("#view-places .place").first).to_be_visible()
    _check(page)


@pytest.mark.parametrize("width", SIZES)
def test_what_was_not_found_fits(opened: Callable, samples: Path, width: int) -> None:
    page, _ = opened("/", **SIZES[width], reduced_motion="reduce")
    _with_long_names(page)
    deeds.open_search(page, samples / "queries" / "absent.jpg")
    _check(page)
    deeds.unfold(page)
    _check(page)


@pytest.mark.parametrize("width", SIZES)
def test_the_regions_of_an_image_fit(opened: Callable, width: int) -> None:
    page, _ = opened("/", **SIZES[width], reduced_motion="reduce")
    tile = page.locator("#library .tile").first
    tile.get_by_role("button", name="Open").click()
    expect(page.locator("#view-region-list .place").first).to_be_visible()
    _check(page)


def test_the_whole_name_is_shown_to_whoever_points_at_it(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    _with_long_names(page)
    deeds.open_search(page, samples / "queries" / "absent.jpg")
    deeds.unfold(page)
    name = page.locator("#groups .name").nth(1)  # the first one has the focus
    head = name.locator(".head")
    cut = "e => e.scrollWidth > e.clientWidth"
    assert head.evaluate(cut)
    page.locator("#groups .open").nth(1).focus()
    assert not head.evaluate(cut)
    expect(name).to_have_text(re.compile(LONG.replace("{:04}", r"\d{4}")))
