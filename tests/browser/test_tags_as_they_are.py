"""Tags that rows of names and values cannot show quite as they are: they stay unless edited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect


def _images(page: Page) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = page.request.get("/api/v1/images").json()["images"]
    return images


@pytest.fixture
def tagged(opened: Callable) -> Iterator[Callable[..., Page]]:
    """Return what edits the first image with further tags; they are taken away afterwards."""
    page, _ = opened()
    url = f"/api/v1/images/{_images(page)[0]['image_id']}?wait=30"
    names: list[str] = []

    def edit(**tags: Any) -> Page:
        names.extend(tags)
        page.request.patch(url, data={"metadata": tags})
        page.reload()
        page.locator("#library .open").first.click()
        page.click("#view-edit")
        return page

    yield edit
    page.request.patch(url, data={"metadata": dict.fromkeys(names)})


def _patches(page: Page) -> list[Any]:
    """Return a list that grows with what the page changes from now on."""
    sent: list[Any] = []
    page.on("request", lambda asked: asked.method == "PATCH" and sent.append(asked.post_data_json))
    return sent


def test_a_list_of_years_is_shown_as_it_is_and_asks_nothing(tagged: Callable) -> None:
    page = tagged(years=["2023", "2024"])
    sent = _patches(page)
    expect(page.locator("#view-rows [name=value]").last).to_have_value("2023, 2024")
    page.keyboard.press("Escape")
    expect(page.locator("#view-tags")).to_be_hidden()
    assert sent == []


def test_a_long_list_of_values_asks_nothing_and_can_get_another_one(tagged: Callable) -> None:
    words = [f"word-{n:02}-{'x' * 20}" for n in range(40)]
    page = tagged(words=words)
    assert len(", ".join(words)) > 1000
    page.keyboard.press("Escape")
    expect(page.locator("#view-tags")).to_be_hidden()
    sent = _patches(page)
    page.click("#view-edit")
    names = [field.input_value() for field in page.locator("#view-rows [name=key]").all()]
    field = page.locator("#view-rows [name=value]").nth(names.index("words"))
    field.fill(", ".join([*words, "y" * 1001]))
    page.click("#view-keep")
    expect(page.locator("#view-tags-text")).to_contain_text("longer than 1,000 letters")
    field.fill(", ".join([*words, "more"]))
    page.click("#view-keep")
    expect(page.locator("#view-edit")).to_be_focused()
    assert sent == [{"metadata": {"words": [*words, "more"]}}]


def test_tags_that_rows_cannot_show_as_they_are_stay_unless_edited(tagged: Callable) -> None:
    page = tagged(blank="", none=[], outer=" two ")
    page.keyboard.press("Escape")
    expect(page.locator("#view-tags")).to_be_hidden()
    sent = _patches(page)
    page.click("#view-edit")
    names = [field.input_value() for field in page.locator("#view-rows [name=key]").all()]
    page.locator("#view-rows [name=value]").nth(names.index("outer")).fill("three")
    page.click("#view-keep")
    expect(page.locator("#view-edit")).to_be_focused()
    assert sent == [{"metadata": {"outer": "three"}}]
