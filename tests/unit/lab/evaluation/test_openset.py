"""Saying that nothing is there: precision, recall and calibration of answers that are counted."""

from __future__ import annotations

import numpy as np
import pytest

from lab.evaluation.bootstrap import statistic_interval
from lab.evaluation.service.openset import Twice, calibration, curve, recalls_at, said


def twice(*pairs: tuple[float, bool, float]) -> Twice:
    """Each pair: confidence and rightness among all photos, confidence without the right ones."""
    there, right, gone = (np.array(column) for column in zip(*pairs, strict=True))
    nothing = np.zeros(len(pairs), bool)
    return Twice(np.stack([there, gone], 1).astype(float), np.stack([right, nothing], 1))


def test_a_curve_counts_what_is_claimed_from_each_confidence_up() -> None:
    found = curve(np.array([0.9, 0.5, 0.7]), np.array([True, True, False]), wanted=4)
    assert found.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert found.recall.tolist() == pytest.approx([1 / 4, 1 / 4, 2 / 4])


def test_answers_of_equal_confidence_are_claimed_together() -> None:
    found = curve(np.full(4, 0.5), np.array([True, False, False, False]), wanted=1)
    assert (found.precision.tolist(), found.recall.tolist()) == ([1 / 4], [1.0])


def test_no_claims_have_no_recall() -> None:
    assert curve(np.zeros(0), np.zeros(0, bool), wanted=0).recall_at(0.9) == 0.0


def test_a_confidence_that_divides_them_recalls_all() -> None:
    perfect = twice((0.9, True, 0.1), (0.8, True, 0.2))
    found = recalls_at(perfect)
    assert [(own.value, own.of) for own in found] == [(1.0, 2)] * 3


def test_a_wrong_photo_that_is_sure_spoils_the_precision_of_found() -> None:
    one = twice((0.99, False, 0.1), (0.8, True, 0.2))
    assert one.found().recall_at(0.9) == 0.0
    assert one.found().recall_at(0.5) == 0.5


def test_giving_up_on_what_is_there_spoils_the_precision_of_not_found() -> None:
    shy = twice((0.05, True, 0.1), (0.8, True, 0.2))
    assert shy.not_found().recall_at(0.9) == 0.0
    assert shy.not_found().recall_at(0.6) == 1.0


def test_what_is_turned_away_hangs_on_the_threshold_of_found() -> None:
    one = twice((0.9, True, 0.1), (0.8, True, 0.85))
    assert recalls_at(one)[1].value == 1.0
    assert recalls_at(one, precision=0.6)[1].value == 0.5


def test_a_rule_is_judged_in_both_directions() -> None:
    both = twice((0.9, True, 0.1), (0.9, False, 0.1), (0.2, True, 0.8))
    figures = {name: found.value for name, found in said(both, both.confidence > 0.5).items()}
    assert figures == pytest.approx(
        {
            "found: precision": 1 / 3,
            "found: recall": 1 / 3,
            "not found: precision": 2 / 3,
            "not found: recall": 2 / 3,
        }
    )


def test_an_answer_cannot_be_right_where_nothing_is_to_be_found() -> None:
    with pytest.raises(ValueError, match="no answer is right"):
        Twice(np.zeros((1, 2)), np.array([[True, True]]))
    with pytest.raises(ValueError, match="both answers"):
        Twice(np.zeros((2, 1)), np.zeros((2, 1), bool))


def test_probabilities_that_come_true_are_calibrated() -> None:
    probability = np.repeat([0.25, 0.75], 400)
    right = np.tile([True, False, False, False], 100).tolist()
    right += np.tile([True, True, True, False], 100).tolist()
    found = calibration(probability, np.array(right))
    assert [(b.probability, b.right.value, b.right.of) for b in found.bins] == [
        (0.25, 0.25, 400),
        (0.75, 0.75, 400),
    ]
    assert (found.error, found.brier) == pytest.approx((0, 0.1875))


def test_certainty_that_is_wrong_is_the_largest_error() -> None:
    found = calibration(np.ones(3), np.zeros(3, bool))
    assert (found.error, found.brier) == (1.0, 1.0)


def test_the_interval_of_a_statistic_holds_its_value_and_is_always_the_same() -> None:
    values = np.arange(50.0)
    first, again = (
        statistic_interval(lambda rows: float(np.median(values[rows])), 50) for _ in range(2)
    )
    assert first == again
    assert first.low < first.value == 24.5 < first.high
    assert np.isnan(statistic_interval(lambda rows: 1.0, 0).value)
