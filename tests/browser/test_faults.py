"""What the page says where the service is away, or refuses something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser import deeds


def _refuse(status: int, message: str) -> Callable[[Route], None]:
    error = {"error": {"code": "refused", "message": message}}
    return lambda route: route.fulfill(status=status, json=error)


def test_a_service_that_is_away_is_said_in_words(opened: Callable, samples: Path) -> None:
    page, watch = opened()
    expect(page.locator("#library .tile").first).to_be_visible()
    watch.allow(r"ERR_INTERNET_DISCONNECTED|Failed to load resource")
    page.context.set_offline(True)
    page.set_input_files("#find-input", min((samples / "queries").iterdir()))
    expect(page.get_by_role("alert")).to_have_text("Needle does not answer. Is it running?")
    page.context.set_offline(False)
    page.click("#search")
    deeds.wait_for_result(page)


def test_the_images_are_listed_once_the_service_is_back(opened: Callable) -> None:
    page, watch = opened()
    watch.allow("status of 503")
    for path in ("**/readyz", "**/api/v1/images?*"):
        page.route(path, _refuse(503, "The queue (Redis) does not answer."))
    page.reload()
    expect(page.locator("#library-text")).to_have_text("The queue (Redis) does not answer.")
    page.unroute_all()
    expect(page.locator("#library .tile")).to_have_count(4)
    expect(page.locator("#library-text")).to_have_text("4 images")


def test_a_key_that_is_not_taken_is_told_from_one_that_could_not_be_asked_about(
    opened: Callable,
) -> None:
    page, watch = opened()
    watch.allow("status of (401|429)")
    page.route("**/api/v1/**", _refuse(401, "A key is needed."))
    page.reload()
    dialog = page.get_by_role("dialog", name="A key is needed")
    fault = dialog.get_by_role("alert")
    dialog.get_by_label("Key").fill("wrong")
    page.route("**/session", _refuse(401, "This key is not known."))
    dialog.get_by_role("button", name="Sign in").click()
    expect(fault).to_contain_text("not one of the keys of this Needle")
    page.route("**/session", _refuse(429, "Too many requests; try again in 3 s."))
    dialog.get_by_role("button", name="Sign in").click()
    expect(fault).to_have_text("Too many requests; try again in 3 s.")


@pytest.mark.parametrize("status", [413, 429, 507])
def test_a_refused_search_says_why(opened: Callable, samples: Path, status: int) -> None:
    page, watch = opened()
    watch.allow(f"status of {status}")
    page.route("**/api/v1/search", _refuse(status, "This is why."))
    page.set_input_files("#find-input", samples / "queries" / "box.jpg")
    expect(page.get_by_role("alert")).to_have_text("This is why.")
    page.unroute_all()
    page.click("#search")
    deeds.wait_for_result(page)
