"""One table, three forms."""

from __future__ import annotations

import json

import numpy as np

from lab.evaluation.bootstrap import Estimate
from lab.evaluation.report import nulled
from lab.evaluation.service.sheets import Sheet, side_by_side

SHARE = Estimate(0.5, 0.25, 0.75, 8)
NONE = Estimate(np.nan, np.nan, np.nan, 0)


def sheet(key: str = "k", *lines: tuple[str, Estimate]) -> Sheet:
    return Sheet(key, "Title", "How to read it.", ("what", "share"), lines or (("a", SHARE),))


def test_markdown_has_the_interval_and_a_dash_for_nothing() -> None:
    written = sheet("k", ("a", SHARE), ("b", NONE)).markdown()
    assert written.startswith("### Title\n\nHow to read it.\n\n| what | share |\n| --- | --- |\n")
    assert "| a | 0.500 (0.25-0.75) |" in written
    assert "| b | - |" in written


def test_json_gives_the_same_sheet_back() -> None:
    first = sheet("k", ("a", SHARE), ("b", NONE))
    again = Sheet.from_json("k", json.loads(json.dumps(nulled(first.as_json()))))
    assert again.markdown() == first.markdown()
    assert again.lines[0] == ("a", SHARE)


def test_json_names_every_value() -> None:
    line = sheet().as_json()["lines"][0]
    assert line == {"what": "a", "share": {"value": 0.5, "low": 0.25, "high": 0.75, "of": 8}}


def test_runs_stand_side_by_side_where_their_tables_are_alike() -> None:
    other = Sheet("only here", "", "", ("what",), (("a",),))
    joined = side_by_side({"one": [sheet(), other], "two": [sheet()]})
    assert [(s.key, s.header) for s in joined] == [("k", ("run", "what", "share"))]
    assert joined[0].lines == (("one", "a", SHARE), ("two", "a", SHARE))
    assert joined[0].about == "How to read it."


def test_what_a_table_says_of_its_own_run_keeps_the_runs_name() -> None:
    other = Sheet("k", "Title", "Its load was 9.", ("what", "share"), (("a", SHARE),))
    joined = side_by_side({"one": [sheet()], "two": [other]})
    assert joined[0].about == "one: How to read it. two: Its load was 9."
