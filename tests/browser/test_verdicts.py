"""What the page says of a result: found or not, of a kind, cut short, elsewhere, filtered."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from needle.frames import MATCH_COLUMNS
from tests.browser import deeds


def _titles(page: Page) -> list[str]:
    return page.locator("#groups h3").all_text_contents()


def test_what_is_not_found_is_said_plainly_and_look_alikes_are_folded(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "absent.jpg")
    expect(page.locator("#results-title")).to_have_text("Probably not in these images")
    expect(page.locator("#results-note")).to_contain_text("Even the closest is")
    expect(page.locator("#groups .hero")).to_have_count(0)
    assert _titles(page) == []
    unfold = page.get_by_role("button", name="a little like it")
    expect(unfold).to_have_attribute("aria-expanded", "false")
    deeds.unfold(page)
    assert _titles(page) == ["Look-alikes"]
    expect(page.locator("#groups .tile")).to_have_count(4)
    expect(page.locator("#groups .open").first).to_be_focused()
    expect(page.locator("#groups .mark")).to_have_count(0)
    expect(page.locator("#groups .dim")).to_have_count(0)


def test_what_is_said_of_the_closest_is_seen_on_its_card(opened: Callable, samples: Path) -> None:
    page, _ = opened()

    def unlikely(result: Any) -> None:
        result["found"] = False
        chances = [("thing", 0.02), ("kind", 0.004), ("thing", 0.03), ("thing", 0.001)]
        for match, (likeness, probability) in zip(result["matches"], chances, strict=True):
            match.update(likeness=likeness, probability=probability, score=0.5)

    deeds.altered(page, unlikely)
    deeds.open_search(page, samples / "queries" / "box.jpg")
    expect(page.locator("#results-note")).to_have_text("Even the closest is 3 % likely to show it.")
    assert _titles(page) == ["Closest", "Perhaps of the same kind"]
    expect(page.locator("#groups .score")).to_have_text(["3 % likely", "50 % alike"])
    page.locator("#groups .open").nth(1).click()
    expect(page.locator("#view-facts")).to_contain_text("50 % alike")


def test_what_is_hardly_of_the_kind_is_a_look_alike(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    asked = None

    def of_a_kind(result: Any) -> None:
        result["found"] = False
        result["query"]["same_kind"] = asked
        for match, score in zip(result["matches"], (0.36, 0.34, 0.33, 0.3), strict=True):
            match.update(likeness="kind", probability=0.004, score=score)

    deeds.altered(page, of_a_kind)
    deeds.open_search(page, samples / "queries" / "box.jpg")
    assert _titles(page) == ["Perhaps of the same kind"]
    expect(page.locator("#groups .score")).to_have_text(["36 % alike"])
    deeds.unfold(page)
    expect(page.locator("#groups .score")).to_have_count(4)
    asked = 1
    page.reload()
    deeds.wait_for_result(page)
    expect(page.locator("#groups .score")).to_have_count(4)


def test_what_may_well_be_it_is_not_called_far_off(opened: Callable, samples: Path) -> None:
    page, _ = opened()

    def perhaps(result: Any) -> None:
        result["found"] = False
        chances = [("thing", 0.45), ("kind", 0.004), ("kind", 0.003), ("thing", 0.001)]
        for match, (likeness, probability) in zip(result["matches"], chances, strict=True):
            match.update(likeness=likeness, probability=probability, score=0.5)

    deeds.altered(page, perhaps)
    deeds.open_search(page, samples / "queries" / "box.jpg")
    expect(page.locator("#results-title")).to_have_text("Perhaps in 1 image")
    note = "The closest is 45 % likely to show it: open it to compare."
    expect(page.locator("#results-note")).to_have_text(note)
    assert _titles(page)[0] == "Possibly"


def test_a_search_for_the_kind_is_answered_about_the_kind(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    deeds.look_for(page, samples / "queries" / "absent.jpg")
    page.click("#extras summary")
    page.check("#same_kind")
    page.click("#search")
    expect(page.locator("#results-title")).to_contain_text("may show the same kind of thing")
    expect(page.locator("#results-note")).to_contain_text("how alike the kinds of thing are")
    expect(page.locator("#groups .score").first).to_contain_text("% alike")


def test_a_search_that_was_cut_short_says_so_and_goes_on(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    query = samples / "queries" / "box.jpg"
    first = deeds.open_search(page, query, verify_budget_ms="1")
    expect(page.locator("#time-up")).to_contain_text("Time ran out")
    page.get_by_role("button", name="Continue the search").click()
    page.wait_for_url(lambda url: "job=" in url and first not in url)
    expect(page.locator("#time-up")).to_be_hidden()
    expect(page.locator("#results-title")).to_have_text("Found in 1 image")
    page.reload()
    expect(page.locator("#results-title")).to_have_text("Found in 1 image")
    page.go_back()
    expect(page.locator("#time-up")).to_be_visible()
    assert first in page.url


def test_how_far_a_search_got_is_said_and_no_more_is_claimed(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened()
    query = samples / "queries" / "absent.jpg"
    checked = {
        (0, 4): "Time ran out before any image was double-checked.",
        (1, 2): "Time ran out when 1 of the likeliest 3 images had been double-checked.",
        (1, 3): "Time ran out when 1 of the 4 images had been double-checked.",
        (1, None): "Time ran out when 1 of the 4 images had been double-checked.",
        (4, 0): "Time ran out before the last checks of the best images.",
    }
    for (many, left), sentence in checked.items():
        page.unroute_all()
        cut = {"checked": many, "verified": 0, "unchecked": left, "complete": False}
        deeds.altered(page, lambda result, cut=cut: result.update(found=False, verification=cut))
        deeds.open_search(page, query)
        expect(page.locator("#time-up-text")).to_contain_text(sentence)
        expect(page.locator("#time-up-text")).to_contain_text("Continue it")
        title = "Probably not in these images" if left == 0 else "Not found so far"
        expect(page.locator("#results-title")).to_have_text(title)


def test_a_search_that_cannot_go_on_keeps_what_it_found(opened: Callable, samples: Path) -> None:
    page, watch = opened()
    watch.allow("status of 404 .*/continue")
    deeds.altered(page, lambda result: result["verification"].update(complete=False))
    refusal = {"error": {"code": "not_found", "message": "There is no such job."}}
    page.route("**/continue", lambda route: route.fulfill(status=404, json=refusal))
    deeds.open_search(page, samples / "queries" / "box.jpg")
    page.get_by_role("button", name="Continue the search").click()
    expect(page.locator("#time-up-text")).to_have_text("There is no such job.")
    expect(page.locator("#results-text")).to_contain_text("4 images searched in")
    expect(page.locator("#results-title")).to_have_text("Found in 1 image")
    expect(page.locator("#groups .hero")).to_be_visible()


def test_a_filter_that_left_nothing_is_named(opened: Callable, samples: Path) -> None:
    page, _ = opened("/?filter=%7B%22shop%22%3A%22Bern%22%7D")
    page.set_input_files("#find-input", samples / "queries" / "box.jpg")
    expect(page.locator("#results-title")).to_have_text("The filter left nothing to search")
    expect(page.locator("#groups .empty")).to_contain_text("None of the 4 images meets the filter")
    page.click("#options summary")
    page.get_by_role("button", name="Remove this row").click()
    page.fill("#min_score", "1")
    page.click("#search")
    expect(page.locator("#results-title")).to_have_text("No image reaches the lowest score")


def test_the_image_that_a_box_was_drawn_on_stands_apart(opened: Callable) -> None:
    page, _ = opened()
    deeds.pick(page, "01-grocery.jpg")
    page.locator("#query-stage .sheet").press("ArrowRight")
    page.click("#search")
    expect(page.locator("#results-title")).to_have_text("Probably not in any other image")
    own = page.get_by_role("region", name="This image")
    expect(own.locator(".open")).to_have_count(1)
    expect(own.locator(".name")).to_have_text("01-grocery.jpg")
    expect(own.get_by_role("button", name="Not like this")).to_have_count(0)


def test_what_other_images_show_is_counted_without_the_image_of_the_query(opened: Callable) -> None:
    page, _ = opened()

    def everywhere(result: Any) -> None:
        result["found"] = True
        for match in result["matches"]:
            match.update(probability=0.9, likeness="thing")

    deeds.altered(page, everywhere)
    deeds.pick(page, "01-grocery.jpg")
    page.locator("#query-stage .sheet").press("ArrowRight")
    page.click("#search")
    expect(page.locator("#results-title")).to_have_text("Found in 3 other images")
    assert _titles(page) == ["Found", "This image"]
    expect(page.locator(".hero .whole-name")).not_to_have_text("01-grocery.jpg")


def test_each_thing_is_shown_as_a_picture_and_whether_it_is_there(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened()

    def two(result: Any) -> None:
        thing = {"label": "object", "confidence": 0.5}
        result["objects"] = [
            {**thing, "box": [0, 0, 60, 60], "found": True, "probability": 0.9},
            {**thing, "box": [20, 20, 90, 90], "found": False, "probability": 0.05},
        ]
        for n, match in enumerate(result["matches"]):
            match.update(probability=0.4 if n else 0.3, verified=True, shows=[] if n else [0])
            for hit in match["hits"]:
                hit.update(object=0, verified=True)

    deeds.altered(page, two)
    deeds.open_search(page, samples / "queries" / "box.jpg")
    expect(page.locator("#results-title")).to_have_text("Found 1 of 2 things in these images")
    things = page.locator(".things li")
    expect(things).to_have_text(
        ["Thing 1found · 90 % likely", "Thing 2probably not here · 5 % likely"]
    )
    deeds.shows_image(page, ".things li:nth-child(2) img")
    assert _titles(page) == ["Found", "Possibly as well"]
    expect(page.locator(".hero .score")).to_have_text("Thing 1")
    share = page.locator("#groups .score").filter(has_text="40\u00a0% of the things").first
    expect(share).to_have_attribute("title", re.compile("^The share of the things of the query"))
    expect(page.locator("#groups .mark")).to_have_count(1)


def test_a_result_is_saved_as_a_table_that_is_safe_to_open(opened: Callable, samples: Path) -> None:
    page, _ = opened()

    def named(result: Any) -> None:
        result["matches"][0]["filename"] = '=HYPERLINK("x"),a.jpg'
        result["matches"][0]["metadata"] = {"shop": "Zürich, -1", "note": "-2+3"}

    deeds.altered(page, named)
    deeds.open_search(page, samples / "queries" / "box.jpg")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename.endswith(".csv")
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0])[: len(MATCH_COLUMNS)] == MATCH_COLUMNS
    assert rows[0]["filename"] == '\'=HYPERLINK("x"),a.jpg'
    assert (rows[0]["metadata.shop"], rows[0]["metadata.note"]) == ("Zürich, -1", "'-2+3")
    assert (rows[0]["rank"], rows[0]["hit"], rows[0]["verified"]) == ("1", "1", "yes")
    assert {row["rank"] for row in rows} == {"1", "2", "3", "4"}
    assert all(float(row["score"]) <= 1 and int(row["x1"]) < int(row["x2"]) for row in rows)


def test_the_tab_says_what_is_shown(opened: Callable, samples: Path) -> None:
    page, _ = opened()
    expect(page).to_have_title("Images · default · Needle")
    deeds.look_for(page, samples / "queries" / "box.jpg")
    expect(page).to_have_title("Found in 1 image: box.jpg · default · Needle")
    page.locator("#groups .open").first.click()
    expect(page).to_have_title("01-grocery.jpg · default · Needle")
    page.keyboard.press("Escape")
    expect(page).to_have_title("Found in 1 image: box.jpg · default · Needle")
    page.click("#view-images")
    expect(page).to_have_title("Images · default · Needle")
