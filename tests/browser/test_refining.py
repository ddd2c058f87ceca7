"""What lies behind “More”: further images, “not like this”, things, words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.browser import deeds


def _searches(page: Page) -> list[Request]:
    """Return the list that every search of the page will be added to."""
    found: list[Request] = []
    page.on("request", lambda r: found.append(r) if r.url.endswith("/api/v1/search") else None)
    return found


def _search(page: Page) -> Any:
    """Search and return the result, once the page shows it."""
    return _result(page, page.locator("#search"))


def _result(page: Page, button: Locator) -> Any:
    """Press what searches and return the result, once the page shows it."""
    with page.expect_response(re.compile("/api/v1/search")) as answered:
        button.click()
    job_id = answered.value.json()["job_id"]  # which a busy machine may not have ended by then
    result = page.request.get(f"/api/v1/jobs/{job_id}?wait=30").json()["result"]
    deeds.wait_for_result(page)
    return result


def _more(page: Page) -> None:
    page.click("#extras summary")


def _look_for_a_box(page: Page) -> Any:
    deeds.pick(page, "01-grocery.jpg")
    page.locator("#query-stage .sheet").press("ArrowRight")
    return _search(page)


def test_more_is_there_once_there_is_something_to_look_for(opened: Callable) -> None:
    page, _ = opened()
    expect(page.locator("#extras")).to_be_hidden()
    deeds.pick(page, "01-grocery.jpg")
    expect(page.locator("#extras")).to_be_visible()
    expect(page.locator("#extras fieldset").first).to_be_hidden()


def test_further_images_are_searched_with_and_come_with_the_link(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    _more(page)
    page.set_input_files("#examples-input", samples / "queries" / "absent.jpg")
    page.set_input_files("#negatives-input", samples / "queries" / "absent.jpg")
    expect(page.locator("#extras-count")).to_have_text("2")
    urls = _search(page)["urls"]
    assert (len(urls["files"]), len(urls["not_files"])) == (2, 1)

    other, _ = opened(page.url)
    deeds.wait_for_result(other)
    expect(other.locator("#query-name")).to_have_text("box.jpg")
    deeds.shows_image(other, "#examples img")
    deeds.shows_image(other, "#negatives img")
    other.locator("#negatives").get_by_role("button", name=re.compile("Remove")).click()
    expect(other.locator("#negatives-input")).to_be_focused()
    urls = _search(other)["urls"]
    assert (len(urls["files"]), len(urls["not_files"])) == (2, 0)


def test_further_images_of_an_indexed_image_go_with_it(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    deeds.pick(page, "01-grocery.jpg")
    page.locator("#query-stage .sheet").press("ArrowRight")
    _more(page)
    page.set_input_files("#examples-input", samples / "queries" / "box.jpg")
    asked = _search(page)
    assert asked["query"]["filename"] == "01-grocery.jpg"
    assert asked["query"]["box"] == deeds.box(page)
    assert len(asked["urls"]["files"]) == 2


def test_a_result_is_refused_by_a_press_and_stays_refused_in_the_link(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    deeds.unfold(page)
    tile = page.locator("#groups .tile").first
    image_id = tile.get_attribute("data-image")
    tile.hover()
    unlike = tile.get_by_role("button", name=re.compile("Not like this"))
    [negative] = _result(page, unlike)["query"]["negatives"]
    assert negative["image_id"] == image_id and len(negative["box"]) == 4
    expect(page.locator("#extras-count")).to_have_text("1")

    other, _ = opened(page.url)
    deeds.wait_for_result(other)
    expect(other.locator("#extras-count")).to_have_text("1")
    deeds.shows_image(other, "#negatives img")


def test_a_place_of_the_full_view_becomes_an_example(opened: Callable) -> None:
    page, _ = opened()
    _look_for_a_box(page)
    searches = _searches(page)
    deeds.unfold(page)
    page.locator("#groups .open").nth(1).click()
    page.get_by_role("button", name="More like this").click()
    page.wait_for_url(re.compile("job="))
    deeds.wait_for_result(page)
    expect(page.locator("#viewer")).to_be_hidden()
    [request] = searches
    assert len(request.post_data_json["examples"]) == 1
    assert "image_id" in request.post_data_json


def test_each_thing_in_the_image_is_listed_with_how_sure_it_is(opened: Callable) -> None:
    page, _ = opened()
    deeds.pick(page, "01-grocery.jpg")
    _more(page)
    page.check("#detect")
    page.check("#rotate")
    result = _search(page)
    assert (result["query"]["detect"], result["query"]["rotate"]) == (True, True)
    things = page.locator(".things li")
    expect(things).to_have_count(len(result["objects"]))
    expect(things.first).to_contain_text(re.compile("found|in no other image"))
    page.reload()
    deeds.wait_for_result(page)
    expect(page.locator("#detect")).to_be_checked()
    expect(page.locator("#rotate")).to_be_checked()
    expect(page.locator("#query-name")).to_have_text("01-grocery.jpg")


def test_words_go_with_the_image_where_the_models_know_them(opened: Callable) -> None:
    page, _ = opened()

    def with_words(route: Route) -> None:
        state = route.fetch().json()
        route.fulfill(json={**state, "models": {**state["models"], "has_text": True}})

    def unsaid(route: Route) -> None:  # the models of this service know no words
        body = json.loads(route.request.post_data or "{}")
        said = {name: body.pop(name) for name in ("text", "text_weight")}
        assert said == {"text": "but blue", "text_weight": 0.5}
        route.continue_(post_data=json.dumps(body))

    page.route("**/readyz", with_words)
    page.reload()
    deeds.pick(page, "01-grocery.jpg")
    _more(page)
    page.fill("#also", "but blue")
    page.route("**/api/v1/search", unsaid)
    _search(page)


def test_what_an_older_service_does_not_say_is_not_shown(opened: Callable) -> None:
    page, _ = opened()

    def older(result: Any) -> None:
        for name in ("found", "probability", "query", "urls"):
            result.pop(name, None)
        for match in result["matches"]:
            match.pop("probability", None)

    deeds.altered(page, older)
    _look_for_a_box(page)
    expect(page.locator("#results-title")).to_have_text("Found in 1 image")
    expect(page.locator(".hero .score")).to_have_text(re.compile(r"^0\.\d\d$"))


def test_an_unsure_result_is_called_one(opened: Callable) -> None:
    page, _ = opened()

    def unsure(result: Any) -> None:
        result["found"] = False
        for match in result["matches"]:
            match.update(verified=False, probability=0.042)

    deeds.altered(page, unsure)
    _look_for_a_box(page)
    expect(page.locator("#results-title")).to_have_text("Probably not in any other image")
    deeds.unfold(page)
    expect(page.locator("#groups h3")).to_have_text(["This image", "Closest", "Look-alikes"])
    expect(page.locator("#groups .score").last).to_have_text("4 % likely")


def test_the_kind_of_what_is_not_found_may_be_asked_for(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "absent.jpg")
    headings = page.locator("#groups h3")
    expect(headings).to_have_count(0)  # what the images show is hardly of its kind
    _more(page)
    page.check("#same_kind")
    result = _search(page)
    assert result["query"]["same_kind"] == 1
    assert {match["likeness"] for match in result["matches"]} == {"kind"}
    expect(headings).to_have_text(["Perhaps of the same kind"])
    page.wait_for_url(re.compile(r"job=\w+"))
    other, _ = opened(page.url)
    deeds.wait_for_result(other)
    expect(other.locator("#same_kind")).to_be_checked()
