"""From alike keypoints to places: transforms that many pairs agree on, and how surely.

Each pair alone proposes a similarity transform, from its two keypoints' places, sizes and angles
(Philbin et al., 2007): trying them is RANSAC without chance. The best are refined to an affine
transform, and to a homography where there are pairs enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.local.match import Pairs, Query
from worker.local.scales import Floats
from worker.local.stored import StoredKeypoints
from worker.local.transforms import Matrix, carried, growth_and_turn, sane
from worker.native import fitting
from worker.native import matching as native

Mask = NDArray[np.bool_]

PROPOSALS = 128
"""Pairs, best first, whose transforms are tried."""
REFINED = 4
SAMPLED = 24
"""Inliers around which the image's keypoints are counted, to know how dense they are."""
TURN_DEG = 30.0
SIZE_FACTOR = 1.6
"""How far a pair's own turn and scale may lie from the transform's."""
TOLERANCE = 0.02
"""How far a keypoint may lie from its place, as a share of the query's diagonal in the image..."""
LEAST_PX = 2.5
"""...but at least so many pixels."""
LEAST_INLIERS = 3
AFFINE_FROM = 6
"""Inliers from which six numbers can be told; fewer fit a similarity."""
PLANAR_FROM = 12
"""Inliers from which a homography's eight numbers can be told."""


@dataclass(frozen=True)
class Fit:
    """A transform of query pixels into image pixels, float64 (3, 3), and who agrees with it.

    `evidence` is the negated logarithm to base 10 of how many such agreements chance would give;
    `scale` is image pixels a query pixel, at the query's centre.
    """

    matrix: Matrix
    inliers: Mask
    count: int
    evidence: float
    scale: float


@dataclass(frozen=True)
class Field:
    """The pairs of a query and an image as arrays: what `fit` works on.

    `turn` is in degrees, 0..360; `log_growth` the natural logarithm of `growth`.
    """

    source: Floats
    target: Floats
    turn: Floats
    growth: Floats
    log_growth: Floats
    every: Floats
    size: tuple[int, int]

    @classmethod
    def of(cls, query: Query, image: StoredKeypoints, pairs: Pairs) -> Field:
        """Gather the pairs' places, turns and growths (factors)."""
        mine = query.keypoints
        growth = image.sizes[pairs.image] / mine.sizes[pairs.query]
        return cls(
            mine.points[pairs.query],
            image.points[pairs.image],
            (image.angles[pairs.image] - mine.angles[pairs.query]) % 360.0,
            growth,
            np.log(growth),
            image.points,
            (mine.width, mine.height),
        )

    @cached_property
    def tried(self) -> int:
        """How many places of the query have pairs."""
        return _spots(self.source)

    @property
    def diagonal(self) -> float:
        """The query's diagonal in its pixels."""
        return math.hypot(*self.size)


def best_fit(field: Field, fewest: int = LEAST_INLIERS) -> Fit | None:
    """Return the transform with the most evidence; None when no `fewest` pairs roughly agree."""
    if len(field.source) < LEAST_INLIERS:
        return None
    best: Fit | None = None
    for pair, voters in _proposals(field, fewest):
        if best is not None and best.inliers[pair]:
            continue  # the same transform again
        found = refined(field, voters)
        if found is not None and (best is None or found.evidence > best.evidence):
            best = found
    return best


def _proposals(field: Field, fewest: int) -> list[tuple[int, Mask]]:
    """Return the single pairs whose transforms the most others roughly agree with, and those."""
    close, votes = native.votes(
        field.source,
        field.target,
        field.turn,
        field.growth,
        PROPOSALS,
        TURN_DEG,
        math.log(SIZE_FACTOR),
    )
    order = np.argsort(-votes, kind="stable")[:REFINED]
    return [(int(i), close[i]) for i in order if votes[i] >= fewest]


def alike(field: Field, turn: Floats | float, log_growth: Floats | float) -> Mask:
    """Tell which pairs turn (0..360 degrees) and grow about as a transform does."""
    apart = np.abs(field.turn - turn)
    turned = np.minimum(apart, 360.0 - apart) < TURN_DEG
    both: Mask = turned & (np.abs(field.log_growth - log_growth) < math.log(SIZE_FACTOR))
    return both


def refined(field: Field, voters: Mask) -> Fit | None:
    """Fit an affine transform to the voters, and again to who agrees with it."""
    inliers = voters
    matrix: Matrix | None = None
    for share in (3 * TOLERANCE, 2 * TOLERANCE, TOLERANCE, TOLERANCE):
        matrix = _affine(field, inliers)
        if matrix is None or not sane(matrix, field.size):
            return None
        inliers = _agreeing(field, matrix, share)
        if inliers.sum() < LEAST_INLIERS:
            return None
    if matrix is None:
        return None
    found = _judged(field, matrix, inliers)
    if found.count < LEAST_INLIERS:
        return None
    return _planar(field, found) if found.count >= PLANAR_FROM else found


def _planar(field: Field, affine: Fit) -> Fit:
    """Return a homography in place of an affine transform, if more pairs agree with it."""
    inliers = affine.inliers
    matrix: Matrix = affine.matrix
    for share in (2 * TOLERANCE, TOLERANCE):
        found, _ = cv2.findHomography(field.source[inliers], field.target[inliers], 0)
        if found is None:
            return affine
        matrix = found.astype(np.float64)
        if not sane(matrix, field.size):
            return affine
        inliers = _agreeing(field, matrix, share)
        if inliers.sum() < PLANAR_FROM:
            return affine
    planar = _judged(field, matrix, inliers)
    return planar if planar.evidence > affine.evidence else affine


def _affine(field: Field, inliers: Mask) -> Matrix | None:
    """Return the least-squares affine transform; a similarity where the pairs are few."""
    if inliers.sum() >= AFFINE_FROM:
        return fitting.affine(field.source, field.target, inliers)
    pairs = field.source[inliers], field.target[inliers]
    found, _ = cv2.estimateAffinePartial2D(*pairs, method=cv2.LMEDS)
    return None if found is None else np.vstack([found, [0.0, 0.0, 1.0]])


def _agreeing(field: Field, matrix: Matrix, share: float) -> Mask:
    """Tell which pairs a transform carries to their place, turn and scale."""
    growth, turn = growth_and_turn(matrix, field.size)
    return fitting.agreeing(
        field.source,
        field.target,
        field.turn,
        field.log_growth,
        matrix,
        near_px=max(LEAST_PX, share * field.diagonal * growth),
        turn=turn % 360.0,
        grown=math.log(growth),
        most_turned=TURN_DEG,
        most_grown=math.log(SIZE_FACTOR),
    )


def _judged(field: Field, matrix: Matrix, inliers: Mask) -> Fit:
    growth, _ = growth_and_turn(matrix, field.size)
    tolerance = max(LEAST_PX, TOLERANCE * field.diagonal * growth)
    count = _distinct(field, inliers)
    evidence = _evidence(field, matrix, inliers, count, tolerance)
    return Fit(matrix, inliers, count, evidence, growth)


def _distinct(field: Field, inliers: Mask) -> int:
    """Count the inliers at places of their own, in the query and in the image: to 2 pixels."""
    return min(_spots(field.source[inliers]), _spots(field.target[inliers]))


def _spots(points: Floats) -> int:
    """Count the different cells of 2 x 2 pixels in which points lie."""
    cells = (points // 2).astype(np.int64)
    return len(np.unique(cells[:, 0] * 1_000_003 + cells[:, 1]))


def _evidence(field: Field, matrix: Matrix, inliers: Mask, count: int, tolerance: float) -> float:
    """Return -log10 of the expected number of such agreements by chance (Moisan and Stival, 2004).

    By chance a pair ends anywhere among the image's keypoints, turned and grown anyhow.
    """
    tried = field.tried
    places = carried(matrix, field.source[inliers][:SAMPLED]).astype(np.float32)
    crowd = fitting.crowd(field.every, places, tolerance)
    among = (crowd + 1) / (len(field.every) + 1)
    alike = (TURN_DEG / 180) * 0.4
    chance = min(0.9, among * alike * max(1.0, len(field.source) / tried))
    # As many pairs as fix the transform agree with it by themselves, and could be any.
    free = 3 if inliers.sum() >= AFFINE_FROM else 2
    return _log_tail(count - free, max(tried - free, 1), chance) - free * math.log10(tried)


def _log_tail(count: int, tried: int, chance: float) -> float:
    """Return -log10 of a bound of P(at least `count` of `tried`), by Chernoff and Hoeffding."""
    share = count / tried
    if share <= chance:
        return 0.0
    if share >= 1:
        return -tried * math.log10(chance)
    gain = share * math.log(share / chance) + (1 - share) * math.log((1 - share) / (1 - chance))
    return tried * gain / math.log(10)
