"""Which matches of a result are drawn on its sheet, and what is said of them."""

from __future__ import annotations

from typing import Any

from needle import Match, SearchResult
from needle.show import NEAREST, pictured


def result(*probabilities: float, **changes: Any) -> SearchResult:
    raw = [
        {"image_id": str(n), "score": 0.5, "probability": each, "hits": []}
        for n, each in enumerate(probabilities)
    ]
    found = any(each >= 0.5 for each in probabilities)
    return SearchResult("j", tuple(map(Match.from_json, raw)), found=found, **changes)


def test_where_it_is_found_look_alikes_are_not_drawn() -> None:
    drawn = pictured(result(0.9, 0.6, 0.2, 0.001), 10)
    assert [match.probability for match in drawn.matches] == [0.9, 0.6]
    assert drawn.found and drawn.sentence == ""


def test_more_finds_than_are_drawn_are_told() -> None:
    drawn = pictured(result(*[0.9] * 12), 10)
    assert len(drawn.matches) == 10 and drawn.sentence == "The 10 surest of 12 images"


def test_where_nothing_is_found_the_sheet_says_so_and_shows_a_few_look_alikes() -> None:
    drawn = pictured(result(*[0.2] * 12), 10)
    assert len(drawn.matches) == NEAREST and not drawn.found
    assert drawn.sentence.startswith("Probably in none of the images.")


def test_of_words_there_is_an_order_and_no_verdict() -> None:
    drawn = pictured(result(0.1, 0.1, query={"text": "a mug"}), 10)
    assert len(drawn.matches) == 2 and drawn.sentence == "The images that fit best"
