"""Every place of an image where a query is found: box, corners, turn, and how surely."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from common.geometry import Box
from worker.boxes import clear_of
from worker.local.fit import LEAST_INLIERS, Field, Fit, best_fit
from worker.local.match import Matcher, Query
from worker.local.stored import StoredKeypoints
from worker.local.transforms import Matrix, carried, corners

Corner = tuple[float, float]

ALONE = 30.0
"""So many matches missing around those found: then only a part of the query is in the image."""
FOUND = 3.0
"""Evidence from which a place counts as found. Of 5,000 wrong images that share words with a query
one came to 3.1; right images of crops with four keypoints begin at about 2."""
SAME_PLACE_IOU = 0.5
"""Places that overlap so much show the same: of two the surer counts."""
AGAIN = 0.2
"""Pairs and evidence of another place, as a share of the first one's: what is alike has less."""


@dataclass(frozen=True)
class Placement:
    """Where an image shows the query.

    `quad`: the query's corners in the image's pixels: top left, top right, bottom right, bottom
    left of the query as it was posted. They may lie outside; `box` does not. Where the image shows
    a part of the query alone (both are images of scenes), they are that part's. `rotation`: degrees
    clockwise, of the query's upright (after mirroring, where `mirrored`). `inliers` of `matches`
    keypoint pairs agree, which lie around `coverage` (0..1) of the query's area; `evidence` is
    -log10 of how often chance would do the same. `agreement` (0..1) is how much of the query's
    detail the image shows there, `part_agreement` the same of what lies between the details that
    agree, which is a `part` (0..1) of all; None where nobody has looked. `whole` are the corners
    of all of the query where `quad` has a part's; None where it is the same.
    """

    box: Box
    quad: tuple[Corner, Corner, Corner, Corner]
    rotation: float
    scale: float
    mirrored: bool
    inliers: int
    matches: int
    evidence: float
    coverage: float
    agreement: float | None = None
    part: float | None = None
    part_agreement: float | None = None
    whole: tuple[Corner, Corner, Corner, Corner] | None = None


def placements(
    matcher: Matcher, query: Query, image: StoredKeypoints, most: int, least: float = FOUND
) -> list[Placement]:
    """Return at most `most` places with evidence of at least `least`, surest first.

    A place with far less than the first has is none: the same thing once more has about as much,
    and parts that look alike have little.
    """
    pairs = matcher.pairs(query, image)
    found: list[Placement] = []
    fewest = LEAST_INLIERS
    while len(found) < most and len(pairs) >= fewest:
        field = Field.of(query, image, pairs)
        fit = best_fit(field, fewest)
        if fit is None or fit.evidence < least:
            break
        place = placement_of(query, image, field, fit)
        if place is not None and clear_of(
            place.box, (other.box for other in found), SAME_PLACE_IOU
        ):
            found.append(place)
        fewest, least = max(fewest, round(AGAIN * fit.count)), max(least, AGAIN * fit.evidence)
        taken = np.isin(pairs.image, pairs.image[fit.inliers])
        pairs = pairs.where(~taken)
    return found


def placement_of(query: Query, image: StoredKeypoints, field: Field, fit: Fit) -> Placement | None:
    every, part = corners(field.size), _shown_part(query, image, field, fit)
    quad = carried(fit.matrix, part)
    low, high = quad.min(axis=0), quad.max(axis=0)
    box = Box.covering((*low.tolist(), *high.tolist()), image.width, image.height)
    if not box.inside(image.width, image.height):
        return None
    top = quad[1] - quad[0] + quad[2] - quad[3]
    return Placement(
        box=box,
        quad=_turned_back(query, quad),
        rotation=round(math.degrees(math.atan2(top[1], top[0])), 1),
        scale=round(fit.scale, 4),
        mirrored=query.mirrored,
        inliers=fit.count,
        matches=len(field.source),
        evidence=round(fit.evidence, 2),
        coverage=round(_coverage(field, fit), 3),
        whole=None if (part == every).all() else _turned_back(query, carried(fit.matrix, every)),
    )


def _coverage(field: Field, fit: Fit) -> float:
    """Return the share of the query's area that lies within the hull of the inliers, 0..1."""
    hull = cv2.convexHull(field.source[fit.inliers].astype(np.float32))
    return min(1.0, cv2.contourArea(hull) / (field.size[0] * field.size[1]))


def _shown_part(query: Query, image: StoredKeypoints, field: Field, fit: Fit) -> Matrix:
    """Return the corners (4, 2) of what the image shows of the query: all of it, as a rule.

    An image of a street may share no more than a sign with another. If the keypoints around those
    that match were there too, as many of them would match as among those.
    """
    inliers = field.source[fit.inliers]
    low, high = inliers.min(axis=0), inliers.max(axis=0)
    margin = 0.05 * (high - low).max()
    low, high = low - margin, high + margin
    points = query.keypoints.points
    within = ((points >= low) & (points <= high)).all(axis=1)
    moved = carried(fit.matrix, points)
    visible = ((moved >= 0) & (moved < [image.width, image.height])).all(axis=1)
    missing = (visible & ~within).sum() * fit.count / max(within.sum(), 1)
    if missing < ALONE:
        return corners(field.size)
    (x1, y1), (x2, y2) = np.maximum(low, 0), np.minimum(high, field.size)
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64)


def _turned_back(query: Query, quad: Matrix) -> tuple[Corner, Corner, Corner, Corner]:
    """Return corners in the order of the query as it was posted."""
    return _rounded(quad[[1, 0, 3, 2]] if query.mirrored else quad)


def _rounded(quad: Matrix) -> tuple[Corner, Corner, Corner, Corner]:
    a, b, c, d = ((round(float(x), 1), round(float(y), 1)) for x, y in quad)
    return a, b, c, d
