"""Metadata that comes together, and that is edited."""

from __future__ import annotations

from typing import Any

import pytest

from common.metadata import MOST_VALUES, edited, merged


@pytest.mark.parametrize(
    ("kept", "more", "found"),
    [
        ({}, {"shop": "Basel"}, {"shop": "Basel"}),
        ({"shop": "Basel"}, {}, {"shop": "Basel"}),
        ({"shop": "Basel"}, {"year": 2024}, {"shop": "Basel", "year": 2024}),
        ({"shop": "Basel"}, {"shop": "Basel"}, {"shop": "Basel"}),
        ({"shop": "Basel"}, {"shop": "Bern"}, {"shop": ["Basel", "Bern"]}),
        ({"shop": ["Basel", "Bern"]}, {"shop": "Bern"}, {"shop": ["Basel", "Bern"]}),
        ({"tags": ["a"]}, {"tags": ["b", "a"]}, {"tags": ["a", "b"]}),
        ({"year": 2023}, {"year": 2024}, {"year": 2024}),
        ({"sale": True}, {"sale": "soon"}, {"sale": "soon"}),
    ],
)
def test_keys_come_together_and_so_do_words(
    kept: dict[str, Any], more: dict[str, Any], found: dict[str, Any]
) -> None:
    assert merged(kept, more) == found
    assert merged(found, more) == found, "posting it once more changes nothing"


def test_a_list_stays_as_long_as_it_may_be() -> None:
    full = [str(n) for n in range(MOST_VALUES)]
    assert merged({"tags": full}, {"tags": "more"}) == {"tags": full}


def test_an_edit_replaces_and_removes() -> None:
    kept = {"shop": ["Basel", "Bern"], "year": 2023, "sale": True}
    assert edited(kept, {"shop": "Bern", "year": None, "new": 1}) == {
        "shop": "Bern",
        "sale": True,
        "new": 1,
    }
