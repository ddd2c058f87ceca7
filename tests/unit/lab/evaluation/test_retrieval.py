"""Ranking and judging, on embeddings that can be counted on one hand."""

from __future__ import annotations

import random

import numpy as np
import pytest

from lab.evaluation.bootstrap import difference_interval, mean_interval
from lab.evaluation.boxes import iou
from lab.evaluation.matching import average_precision, judge, recall
from lab.evaluation.photos import LabelledBox
from lab.evaluation.report import Row, differences
from lab.evaluation.retrieval import Gallery, Truth, look_up
from worker.models.base import Detection


def at(*degrees: float) -> np.ndarray:
    """Return directions in the plane: the nearer their angles, the higher the score."""
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


@pytest.fixture
def gallery() -> Gallery:
    """Photo 0 at 0 and 40 degrees, photo 1 at 20, photo 2 at 90 and 95."""
    boxes = np.array([[0, 0, 10, 10], [0, 0, 20, 20], [0, 0, 9, 9], [5, 5, 9, 9], [0, 0, 4, 4]])
    return Gallery(at(0, 40, 20, 90, 95), np.array([0, 0, 1, 2, 2]), boxes.astype(float))


def test_photos_are_ranked_by_their_best_region(gallery: Gallery) -> None:
    asked = at(38, 38, 92, 22)
    truths = [Truth(frozenset({n})) for n in (0, 1, 2, 2)]
    found = look_up(gallery, asked, truths)
    assert found.rank.tolist() == [1, 2, 1, 3]
    assert found.recall(1).tolist() == [True, False, True, False]
    assert found.precision.tolist() == pytest.approx([1, 1 / 2, 1, 1 / 3])


def test_average_precision_counts_every_right_photo(gallery: Gallery) -> None:
    found = look_up(gallery, at(0), [Truth(frozenset({0, 2}))])  # the order is 0, 1, 2
    assert found.precision[0] == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_a_photo_that_is_left_out_is_not_found(gallery: Gallery) -> None:
    found = look_up(gallery, at(38), [Truth(frozenset({1}), frozenset({0}))])
    assert (found.rank[0], found.precision[0]) == (1, 1.0)


def test_no_right_photo_is_never_found(gallery: Gallery) -> None:
    found = look_up(gallery, at(38), [Truth(frozenset())])
    assert (found.rank[0], found.precision[0]) == (4, 0.0)


def test_of_equal_scores_the_wrong_photo_goes_first() -> None:
    same = Gallery(at(0, 0, 0), np.arange(3), np.zeros((3, 4)))
    assert look_up(same, at(0), [Truth(frozenset({0}))]).rank.tolist() == [3]


def test_the_overlap_is_that_of_the_best_region(gallery: Gallery) -> None:
    box = (0.0, 0.0, 20.0, 20.0)
    found = look_up(gallery, at(39, 1), [Truth(frozenset({0}), box=box)] * 2)
    assert found.iou_right.tolist() == found.iou_top.tolist() == [1.0, 0.25]


def test_a_wrong_photos_top_hit_overlaps_with_nothing(gallery: Gallery) -> None:
    found = look_up(gallery, at(21), [Truth(frozenset({0}), box=(0.0, 0.0, 20.0, 20.0))])
    assert (found.iou_right[0], found.iou_top[0]) == (1.0, 0.0)


def test_a_photo_without_regions_is_refused() -> None:
    with pytest.raises(ValueError, match="no region"):
        Gallery(at(0, 1), np.array([0, 2]), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="together"):
        Gallery(at(0, 1, 2), np.array([0, 1, 0]), np.zeros((3, 4)))


def test_iou_of_many_boxes() -> None:
    found = iou([(0, 0, 10, 10), (0, 0, 0, 0)], [(0, 0, 10, 5), (20, 20, 30, 30), (0, 0, 0, 0)])
    assert found.tolist() == [[0.5, 0, 0], [0, 0, 0]]


def test_an_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    values = np.array([True] * 80 + [False] * 20)
    found = mean_interval(values)
    assert found == mean_interval(values)
    assert (found.value, found.of) == (0.8, 100)
    # The normal approximation: 0.8 +- 1.96 * sqrt(0.8 * 0.2 / 100)
    assert (found.low, found.high) == pytest.approx((0.722, 0.878), abs=0.015)


def test_more_queries_make_a_narrower_interval() -> None:
    few, many = (mean_interval(np.tile([0.0, 1.0], n)) for n in (20, 320))
    assert (many.high - many.low) * 3 < few.high - few.low


def test_no_value_has_no_mean() -> None:
    assert np.isnan(mean_interval(np.zeros(0)).value)


def test_pairs_show_a_difference_that_lies_within_both_intervals() -> None:
    rng = np.random.default_rng(1)
    hard = rng.random(200) < 0.5
    better, worse = hard, hard & (rng.random(200) < 0.9)
    found = difference_interval(better, worse)
    assert found.low > 0
    assert mean_interval(worse).high > mean_interval(better).low
    with pytest.raises(ValueError, match="no pairs"):
        difference_interval(better, worse[1:])


def test_differences_compare_rows_of_equal_queries(gallery: Gallery) -> None:
    truths = [Truth(frozenset({1})), Truth(frozenset({2}))]
    good, bad = (look_up(gallery, queries, truths) for queries in (at(20, 90), at(20, 0)))
    rows = [Row("t", "w", "all", name, out) for name, out in (("new", good), ("old", bad))]
    (found,) = differences(rows, "new")
    assert (found["encoder"], found["minus"], found["of"]) == ("new", "old", 2)
    assert found["recall@1"]["value"] == 0.5


def test_a_mean_over_kinds_does_not_count_queries(gallery: Gallery) -> None:
    truths = [Truth(frozenset({1}))] * 4
    out = look_up(gallery, at(20, 20, 20, 0), truths)
    row = Row("t", "w", "all", "e", out, ("cat", "cat", "cat", "dog"))
    assert row.figures["mean average precision"].value == pytest.approx((3 + 0.5) / 4)
    assert row.figures["macro mean average precision"].value == pytest.approx((1 + 0.5) / 2)


def box(x: float, difficult: bool = False) -> LabelledBox:
    return LabelledBox((x, 0, x + 10, 10), "thing", difficult=difficult)


def hit(x: float, confidence: float) -> Detection:
    return Detection(x, 0, x + 10, 10, "thing", confidence)


def test_a_box_is_found_once() -> None:
    found = judge([hit(0, 0.9), hit(1, 0.8), hit(50, 0.7)], [box(0), box(52)], 0.5)
    assert found.correct.tolist() == [True, False, True]
    assert recall([found], best=1) == 0.5
    assert recall([found], best=3) == 1.0
    # Precision where a box is found: 1/1, then 2/3.
    assert average_precision([found]) == pytest.approx((1 + 2 / 3) / 2)


def test_difficult_boxes_are_neither_asked_for_nor_wrong_to_find() -> None:
    found = judge([hit(0, 0.9), hit(50, 0.8)], [box(0, difficult=True), box(50)], 0.5)
    assert (recall([found], 10), average_precision([found])) == (1.0, 1.0)


def test_photos_compete_by_confidence() -> None:
    sure_and_wrong = judge([hit(80, 0.95)], [box(0)], 0.5)
    right = judge([hit(0, 0.5)], [box(0)], 0.5)
    assert average_precision([sure_and_wrong, right]) == pytest.approx(0.5 * 0.5)
    assert np.isnan(average_precision([judge([hit(0, 0.9)], [], 0.5)]))


def test_ranking_equals_the_plain_way() -> None:
    rng = np.random.default_rng(2)
    owners = np.sort(np.concatenate([np.arange(12), rng.integers(0, 12, 40)]))
    rows = rng.standard_normal((len(owners), 5)).astype(np.float32)
    gallery = Gallery(rows, owners, np.zeros((len(owners), 4)))
    asked = rng.standard_normal((9, 5)).astype(np.float32)
    right = [random.Random(n).randrange(12) for n in range(9)]
    found = look_up(gallery, asked, [Truth(frozenset({n})) for n in right])
    for query, own, rank in zip(asked, right, found.rank, strict=True):
        best = [max((rows[owners == n] @ query).tolist()) for n in range(12)]
        assert rank == 1 + sum(score > best[own] for score in best)
