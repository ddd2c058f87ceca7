"""Tags that were changed and not saved: nothing loses them without a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import deeds

WAYS: dict[str, Callable[[Page], Any]] = {
    "next image": lambda page: page.click("#view-after"),
    "arrow key": lambda page: page.locator("#view-stage").press("ArrowRight"),
    "close button": lambda page: page.click("#view-close"),
    "Escape": lambda page: page.keyboard.press("Escape"),
    "Back": lambda page: page.evaluate("history.back()"),
    "search": lambda page: page.click("#view-search"),
}
SHOP = "#view-rows [name=value] >> nth=0"


@pytest.fixture
def edited(opened: Callable) -> Iterator[Page]:
    """Open an image in the full view and change a tag of it; put the tag back afterwards."""
    page, _ = opened("/?sort=name")
    page.get_by_role("button", name="Open 02-meadow.jpg").click()
    page.click("#view-edit")
    page.fill(SHOP, "Bern")
    yield page
    for image in _images(page):
        if image["metadata"]["shop"] != "Basel":
            url = f"/api/v1/images/{image['image_id']}?wait=30"
            page.request.patch(url, data={"metadata": {"shop": "Basel"}})


def _images(page: Page) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = page.request.get("/api/v1/images").json()["images"]
    return images


def _shop(page: Page) -> str:
    shops = {image["filename"]: image["metadata"]["shop"] for image in _images(page)}
    return str(shops["02-meadow.jpg"])


@pytest.mark.parametrize("way", WAYS)
def test_leaving_changed_tags_asks_and_the_reader_may_go_on_editing(edited: Page, way: str) -> None:
    address = edited.url
    WAYS[way](edited)
    expect(edited.locator("#confirm")).to_be_visible()
    expect(edited.locator("#confirm-text")).to_have_text("You changed the tags of “02-meadow.jpg”.")
    edited.get_by_role("button", name="Keep editing").click()
    expect(edited.locator("#confirm")).to_be_hidden()
    expect(edited.locator("#view-title")).to_have_text("02-meadow.jpg")
    expect(edited.locator(SHOP)).to_have_value("Bern")
    assert edited.url == address


@pytest.mark.parametrize("way", ["next image", "close button", "Escape", "Back"])
def test_changed_tags_are_saved_on_the_way_out(edited: Page, way: str) -> None:
    WAYS[way](edited)
    edited.get_by_role("button", name="Save", exact=True).click()
    _left(edited, way)
    assert _shop(edited) == "Bern"


@pytest.mark.parametrize("way", ["next image", "close button", "Escape", "Back"])
def test_changed_tags_are_given_up_where_the_reader_says_so(edited: Page, way: str) -> None:
    WAYS[way](edited)
    edited.get_by_role("button", name="Don\N{RIGHT SINGLE QUOTATION MARK}t save").click()
    _left(edited, way)
    assert _shop(edited) == "Basel"


def _left(page: Page, way: str) -> None:
    """Wait until the reader is where the way leads."""
    expect(page.locator("#confirm")).to_be_hidden()
    if way == "Escape":  # it ends the editing; a second one closes the full view
        expect(page.locator("#view-edit")).to_be_focused()
    elif way == "next image":
        expect(page.locator("#view-title")).not_to_have_text("02-meadow.jpg")
        expect(page.locator("#view-tags")).to_be_hidden()
    else:
        expect(page.locator("#viewer")).to_be_hidden()
        page.wait_for_url(lambda url: "view=" not in url)


def test_a_tag_that_cannot_be_saved_keeps_the_reader_there(edited: Page) -> None:
    edited.locator("#view-rows [name=key]").first.fill("the shop")
    edited.click("#view-close")
    edited.get_by_role("button", name="Save", exact=True).click()
    expect(edited.locator("#view-tags-text")).to_contain_text("“the shop” cannot be the name")
    expect(edited.locator("#viewer")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 820])
def test_the_question_has_room_for_its_answers(edited: Page, width: int) -> None:
    edited.set_viewport_size({"width": width, "height": 844})
    edited.click("#view-close")
    dialog = edited.locator("#confirm").bounding_box()
    assert dialog is not None
    buttons = edited.locator("#confirm .button")
    expect(buttons).to_have_count(3)
    for button in buttons.all():
        box = button.bounding_box()
        assert box is not None
        assert dialog["x"] + 8 <= box["x"]
        assert box["x"] + box["width"] <= dialog["x"] + dialog["width"] - 8


def test_back_twice_asks_once(edited: Page) -> None:
    for _ in range(2):
        edited.evaluate(
            """() => new Promise((heard) => {
              addEventListener("popstate", heard, { once: true });
              history.back();
            }).then(() => {})"""
        )
        expect(edited.locator("#confirm")).to_be_visible()
        edited.wait_for_url("**view=**")
    edited.get_by_role("button", name="Don\N{RIGHT SINGLE QUOTATION MARK}t save").click()
    expect(edited.locator("#viewer")).to_be_hidden()
    expect(edited.locator("#images")).to_be_visible()
    assert _shop(edited) == "Basel"


def test_closing_the_window_asks_only_about_changed_tags(edited: Page) -> None:
    asked: list[str] = []

    def answer(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.accept()

    edited.on("dialog", answer)
    edited.reload()
    assert asked == ["beforeunload"]
    expect(edited.locator("#view-title")).to_have_text("02-meadow.jpg")
    edited.click("#view-edit")
    edited.reload()
    assert asked == ["beforeunload"]


@pytest.mark.parametrize("way", ["Escape", "Back", "close button"])
def test_the_tags_of_several_images_ask_too(opened: Callable, way: str) -> None:
    page, _ = opened()
    page.click("#select")
    page.click("#select-all")
    page.click("#tag-selected")
    shop = page.locator("#tags-rows [name=value]").first
    shop.fill("Bern")
    leave = {**WAYS, "close button": lambda page: page.click("#tags-close")}[way]
    if way == "Back":  # there has to be a page to come back from
        page.evaluate("history.pushState(null, '', '?limit=20')")
        page.click("#tags-cancel")
        page.click("#tag-selected")
        shop.fill("Bern")
    for _ in range(3):  # a browser lets a page stop the end of a dialog once
        leave(page)
        page.get_by_role("button", name="Keep editing").click()
        expect(shop).to_have_value("Bern")
    leave(page)
    page.get_by_role("button", name="Don\N{RIGHT SINGLE QUOTATION MARK}t save").click()
    expect(page.locator("#tags")).to_be_hidden()
    assert {image["metadata"]["shop"] for image in _images(page)} == {"Basel"}


def test_nothing_is_typed_while_tags_are_saved(edited: Page) -> None:
    held: list[Any] = []
    edited.route(
        "**/api/v1/images/*",
        lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_(),
    )
    edited.click("#view-keep")
    expect(edited.locator("#view-tags-text")).to_have_text("Saving \u2026")
    expect(edited.locator(SHOP)).not_to_be_editable()
    expect(edited.locator("#view-cancel")).to_be_disabled()
    held[0].continue_()
    expect(edited.locator("#view-edit")).to_be_focused()
    edited.click("#view-edit")
    expect(edited.locator(SHOP)).to_be_editable()
    expect(edited.locator("#view-cancel")).to_be_enabled()
    assert _shop(edited) == "Bern"


def test_an_answer_that_comes_while_tags_are_edited_asks(opened: Callable, samples: Path) -> None:
    page, _ = opened()

    def more(result: Any) -> None:
        for match in result["matches"]:
            match["count"] = len(match["hits"]) + 5

    held: list[Any] = []
    deeds.altered(page, more)
    deeds.pick(page, "01-grocery.jpg")
    page.click("#search")
    deeds.wait_for_result(page)
    page.locator("#groups .open").first.click()
    page.route("**/api/v1/search", lambda route: held.append(route))
    page.locator("#view-count .button").click()
    expect(page.locator("#view-count")).to_contain_text("Searching again")
    page.click("#view-edit")
    page.fill(SHOP, "Bern")
    page.wait_for_timeout(300)
    held[0].continue_()
    expect(page.locator("#confirm")).to_be_visible()
    page.get_by_role("button", name="Keep editing").click()
    expect(page.locator(SHOP)).to_have_value("Bern")
    expect(page.locator("#view-count .button")).to_be_enabled()
    expect(page.locator("#view-count .button")).to_contain_text("Show all")


def test_more_places_can_be_asked_for_after_going_on_with_the_tags(opened: Callable) -> None:
    page, _ = opened()

    def more(result: Any) -> None:
        for match in result["matches"]:
            match["count"] = len(match["hits"]) + 5

    deeds.altered(page, more)
    deeds.pick(page, "01-grocery.jpg")
    with page.expect_request("**/api/v1/search") as first:
        page.click("#search")
    deeds.wait_for_result(page)
    page.locator("#groups .open").first.click()
    page.click("#view-edit")
    page.fill(SHOP, "Bern")
    everything = page.locator("#view-count .button")
    words = everything.inner_text()
    everything.click()
    page.get_by_role("button", name="Keep editing").click()
    expect(everything).to_be_enabled()
    expect(everything).to_have_text(words)
    everything.click()
    with page.expect_request("**/api/v1/search") as second:
        page.get_by_role("button", name="Don\N{RIGHT SINGLE QUOTATION MARK}t save").click()
    many = [each.value.post_data_json.get("hits_per_image", 1) for each in (first, second)]
    assert many[0] < many[1]
    expect(page.locator("#view-count .button")).to_contain_text("Show all")
    expect(page.locator("#view-tags")).to_be_hidden()


def test_a_question_is_answered_though_another_one_follows_at_once(opened: Callable) -> None:
    page, _ = opened()
    answers = page.evaluate("""async () => {
      const { choose } = await import("/static/core/confirm.js");
      const words = { yes: "Yes", no: "No" };
      const first = choose("First", "", words);
      document.getElementById("confirm-yes").click();
      const second = choose("Second", "", words);
      document.getElementById("confirm-no").click();
      return Promise.all([first, second]);
    }""")
    assert answers == ["yes", ""]
