"""Kernels over pairs of keypoints, against the same in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from worker.local.transforms import carried
from worker.native.fitting import affine, agreeing, crowd

RNG = np.random.default_rng(5)
SOURCE = RNG.uniform(0, 300, (80, 2)).astype(np.float32)
TRUE = np.array([[1.3, 0.4, 900.0], [-0.2, 1.1, 40.0], [0, 0, 1]])


def carried_by(matrix: np.ndarray, noise: float = 0.0) -> np.ndarray:
    off = RNG.normal(0, noise, SOURCE.shape) if noise else 0
    return (carried(matrix, SOURCE) + off).astype(np.float32)


def test_an_affine_transform_is_the_one_of_least_squares() -> None:
    target, used = carried_by(TRUE, 2.0), RNG.random(80) < 0.5
    found = affine(SOURCE, target, used)
    design = np.hstack([SOURCE[used], np.ones((used.sum(), 1))])
    wanted = np.linalg.lstsq(design, target[used].astype(float), rcond=None)[0].T
    assert found is not None and np.allclose(found[:2], wanted, atol=1e-4)
    assert found[2].tolist() == [0, 0, 1]


def test_places_on_a_line_and_too_few_fix_none() -> None:
    line = np.stack([np.arange(80), 3 * np.arange(80)], axis=1).astype(np.float32)
    assert affine(line, line, np.ones(80, bool)) is None
    assert affine(SOURCE, SOURCE, np.arange(80) < 2) is None
    assert affine(SOURCE, SOURCE, np.arange(80) < 3) is not None


@pytest.mark.parametrize("depth", [(0, 0), (1e-4, -2e-4)])
def test_who_agrees_lies_near_and_turns_and_grows_alike(depth: tuple[float, float]) -> None:
    matrix = TRUE.copy()
    matrix[2, :2] = depth
    target = carried_by(matrix, 3.0)
    turned = RNG.uniform(0, 360, 80).astype(np.float32)
    grown = RNG.normal(0, 0.5, 80).astype(np.float32)
    found = agreeing(
        SOURCE, target, turned, grown, matrix,
        near_px=4.0, turn=350.0, grown=0.1, most_turned=90.0, most_grown=0.4,
    )  # fmt: skip
    off = np.linalg.norm(carried(matrix, SOURCE) - target, axis=1)
    apart = np.abs(turned - 350.0)
    wanted = (off < 4) & (np.minimum(apart, 360 - apart) < 90) & (np.abs(grown - 0.1) < 0.4)
    assert 5 < wanted.sum() < 60 and (found == wanted).all()


def test_a_crowd_is_the_mean_number_of_points_around_a_place() -> None:
    points = RNG.uniform(0, 500, (3000, 2)).astype(np.float32)
    places = RNG.uniform(0, 500, (24, 2)).astype(np.float32)
    apart = np.linalg.norm(points[None] - places[:, None], axis=2)
    assert crowd(points, places, 30.0) == pytest.approx((apart < 30).sum() / 24)
    assert crowd(points[:0], places, 30.0) == 0


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="one place to another"):
        affine(SOURCE, SOURCE[:5], np.ones(80, bool))
    with pytest.raises(ValueError, match="one number of each"):
        affine(SOURCE, SOURCE, np.ones(5, bool))
    with pytest.raises(ValueError, match="pairs of numbers"):
        crowd(SOURCE, SOURCE[:0], 3.0)
