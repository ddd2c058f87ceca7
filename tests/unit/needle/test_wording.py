"""How values are written for people and for programs."""

from __future__ import annotations

import csv
import io

import pytest

from needle import csv_files
from needle.wording import counted, tsv, visible, words


def test_what_would_break_a_line_or_obey_a_terminal_is_escaped() -> None:
    assert visible("a\tb\nc\x1b[31m\u2028\udc80") == "a\\tb\\nc\\x1b[31m\\u2028\\udc80"
    assert visible("Zürich 店 🛒.jpg") == "Zürich 店 🛒.jpg"


def test_lines_have_a_cell_for_each_column() -> None:
    rows = [{"a": True, "b": None, "c": "x\ty\\"}, {"b": {"k": [1, False]}, "c": 0.5, "d": "no"}]
    assert tsv(rows, ("a", "b", "c")).split("\n") == [
        "a\tb\tc",
        "yes\t\tx\\ty\\\\",
        '\t{"k": [1, false]}\t0.5',
    ]


def test_people_read_words() -> None:
    assert (
        words({"ready": True, "means": {"a": 1, "b": [False]}}) == "ready yes, means (a 1, b (no))"
    )
    assert words(None) == "" and words(("a", "b")) == "a, b"
    assert [counted(number, "image") for number in (0, 1, 1200)] == [
        "0 images",
        "1 image",
        "1,200 images",
    ]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"])  # noqa: RUF001
def test_no_name_is_a_formula(name: str) -> None:
    file = io.StringIO()
    csv_files.write(file, [{"name": name, "n": -1.5, "ok": True, name: [1]}], ("name", "n", "ok"))
    head, row = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert row == [f"'{name}", "-1.5", "yes", "[1]"] and head[-1] == f"'{name}"


def test_a_name_that_holds_line_ends_stays_in_its_row() -> None:
    file = io.StringIO()
    csv_files.write(file, [{"name": "a\rb\nc"}], ("name",))
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [["name"], ["a\\rb\nc"]]
