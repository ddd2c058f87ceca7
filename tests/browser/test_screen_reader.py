"""What a screen reader is told: Chromium's own accessibility tree, not our idea of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser import deeds


def _tree(page: Page) -> list[dict[str, Any]]:
    """Return what the browser tells of the page: role, name and states of each node."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    told = []
    for node in nodes:
        if node.get("ignored"):
            continue
        states = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
        name = node.get("name", {}).get("value", "")
        told.append({"role": node["role"]["value"], "name": name.strip(), **states})
    return told


def _check(page: Page) -> list[dict[str, Any]]:
    """Fail on what can be reached and has no name, and on two buttons of one name."""
    told = _tree(page)
    reached = [node for node in told if node.get("focusable") and node["role"] != "RootWebArea"]
    assert [node for node in reached if not node["name"]] == []
    named = [node for node in told if node["role"] in ("dialog", "list", "tablist", "form")]
    lacking = [node for node in named if not node["name"] and node["role"] in ("dialog", "tablist")]
    assert lacking == []
    assert sum(node["role"] == "status" and node.get("live") == "polite" for node in told) >= 1
    return reached


def _names(nodes: list[dict[str, Any]], role: str) -> list[str]:
    return [node["name"] for node in nodes if node["role"] == role]


def test_all_that_can_be_reached_has_a_name(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    expect(page.locator("#library .tile").first).to_be_visible()
    for fold in ("#details", "#options"):
        page.locator(f"{fold} summary").click()
    page.get_by_role("button", name="Add a condition").click()
    reached = _check(page)
    buttons = _names(reached, "button")
    assert len(set(buttons)) == len(buttons), "buttons that do different things are told apart"
    deeds.look_for(page, samples / "queries" / "box.jpg")
    page.locator("#box-row summary").click()
    page.locator("#extras summary").click()
    assert "The query: draw a box on it" in _names(_check(page), "application")
    page.locator("#groups .open").first.click()
    expect(page.locator("#view-places .place").first).to_be_visible()
    assert _names(_check(page), "application") == [], "to move about, no keys are taken away"
    page.keyboard.press("d")
    assert _names(_check(page), "application") == ["The image: draw a box on it"]
    page.keyboard.press("m")
    page.click("#view-edit")
    assert {"Name", "Value"} <= set(_names(_check(page), "textbox"))
    page.keyboard.press("Escape")
    page.locator("#view-places .place").first.click()
    expect(page.locator("#viewer > .unseen")).to_contain_text("Place 1 of")
    said = [node["name"] for node in _tree(page) if node["role"] == "StaticText"]
    assert any(name.startswith("Place 1 of") for name in said), "it is read in the dialog"


def test_what_a_search_says_is_read_out_whole(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    cut = {"checked": 1, "verified": 0, "unchecked": 3, "complete": False}
    deeds.altered(page, lambda result: result.update(found=False, verification=cut))
    deeds.open_search(page, samples / "queries" / "absent.jpg")
    said = page.locator("#live")
    expect(said).to_contain_text("Not found so far.")
    expect(said).to_contain_text("likely to show it.")
    expect(said).to_contain_text("Time ran out when 1 of the 4 images had been double-checked.")


def test_the_focus_follows_what_is_opened_and_comes_back(opened: Callable) -> None:
    page, _ = opened()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the images")).to_be_focused()
    first = page.locator("#library .open").first
    first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    assert page.evaluate("document.querySelector('#viewer').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(first).to_be_focused()
    page.focus("#manage")
    page.keyboard.press("Enter")
    expect(page.locator("#collections-close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#manage")).to_be_focused()
    details = page.locator("#details summary")
    details.click()
    page.get_by_role("button", name="Add a tag").click()
    expect(page.locator("#metadata [name=key]")).to_be_focused()
    page.get_by_role("button", name="Remove this row").click()
    expect(page.locator("#metadata").get_by_role("button", name="Add a tag")).to_be_focused()
