"""Every place of an image that shows a query again and again: a shelf, a wall of tiles, a crowd.

Looking for one place after the other costs as much each time. Here each pair says where the query's
centre would be; pairs that say the same are one place (Lowe, 2004: clusters in a Hough transform).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from worker.boxes import clear_of
from worker.local.fit import LEAST_INLIERS, Field, Mask, alike, refined
from worker.local.match import NearestMatcher, Query
from worker.local.placement import FOUND, SAME_PLACE_IOU, Placement, placement_of
from worker.local.stored import StoredKeypoints

MATCHER = NearestMatcher(most=8192)
"""One keypoint of the query has a pair in each place."""
CELL = 0.25
"""Sides of the cells in which centres are counted, as a share of the query's diagonal there..."""
REACH = 0.3
"""...and how far from a cell's mean the centres of its place lie."""


def every_placement(
    query: Query, image: StoredKeypoints, most: int, least: float = FOUND
) -> list[Placement]:
    """Return at most `most` places with evidence of at least `least`.

    Those come first that the most pairs agree on.
    """
    field = Field.of(query, image, MATCHER.pairs(query, image))
    taken = np.zeros(len(field.source), bool)
    found: list[Placement] = []
    for voters in _clusters(field):
        if len(found) == most:
            break
        fit = refined(field, voters & ~taken) if (voters & ~taken).sum() >= LEAST_INLIERS else None
        if fit is None or fit.evidence < least:
            continue
        place = placement_of(query, image, field, fit)
        taken |= fit.inliers
        if place is not None and clear_of(place.box, (o.box for o in found), SAME_PLACE_IOU):
            found.append(place)
    return found


def _clusters(field: Field) -> Iterator[Mask]:
    """Yield the pairs that say the same centre, the largest crowd first."""
    if len(field.source) < LEAST_INLIERS:
        return
    centres = _centres(field)
    octaves = np.round(np.log2(np.maximum(field.growth, 1e-3)))
    sides = CELL * field.diagonal * 2.0**octaves
    cells = np.column_stack([octaves, np.floor(centres / sides[:, None])]).astype(np.int64)
    _, members, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    for cell in np.argsort(-counts, kind="stable"):
        if counts[cell] < LEAST_INLIERS - 1:
            return
        own = members.ravel() == cell
        # Angles are means of directions: 359 and 1 degrees are 0.
        turn = np.degrees(np.angle(np.exp(1j * np.radians(field.turn[own])).mean()))
        growth = float(np.exp(np.log(field.growth[own]).mean()))
        apart = np.linalg.norm(centres - centres[own].mean(axis=0), axis=1)
        yield (apart < REACH * field.diagonal * growth) & alike(field, float(turn), growth)


def _centres(field: Field) -> NDArray[np.float32]:
    """Return where each pair would have the query's centre, (N, 2)."""
    turn = np.radians(field.turn)
    a, b = field.growth * np.cos(turn), field.growth * np.sin(turn)
    offset = np.array(field.size, np.float32) / 2 - field.source
    x = a * offset[:, 0] - b * offset[:, 1]
    y = b * offset[:, 0] + a * offset[:, 1]
    centres: NDArray[np.float32] = field.target + np.column_stack([x, y])
    return centres
