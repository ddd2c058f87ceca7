"""`make fuzz` in short: every kind of bad input, sent to the whole service."""

from __future__ import annotations

from collections import Counter

from machine.stack import Stack
from tests.fuzz import inputs, running
from tests.fuzz.__main__ import told
from tests.fuzz.sending import Answered

COUNT = 150


def test_bad_input_is_refused_or_fails_alone_and_changes_nothing(stack: Stack) -> None:
    report = running.run(stack, COUNT, seed=18, described=False)
    assert not report.faults, "\n".join(told(report))
    taken = Counter(
        kind for kind, many in report.answers.items() for answer in many if answer.status < 300
    )
    assert set(report.answers) == {"picture", "query", "archive", "request", "wire"}
    assert taken["picture"] > 10 and taken["archive"] > 2, "what is taken is damaged, too"
    assert report.late["invalid_image"] > 2, "some damage is found when it is decoded"


def test_an_input_is_made_anew_by_its_number() -> None:
    for make in (inputs.picture, inputs.archive, inputs.wire):
        assert make(3, 7) == make(3, 7)
        assert make(3, 7) != make(4, 7)


def test_a_hole_is_seen() -> None:
    def unsound(status: int, **more: str) -> bool:
        given = inputs.Input(more.get("kind", "picture"), 1)
        return Answered(given, status, "", "", 0.1).unsound

    assert unsound(500) and unsound(507) and unsound(-1) and unsound(0)
    assert not unsound(202) and not unsound(415) and not unsound(0, kind="wire")
