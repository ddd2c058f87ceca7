"""Which of the proposed regions are worth their place when there are more than may be kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from common.vectors.base import Source
from worker.detail import Detail
from worker.regions import Proposal
from worker.slices import apart

NOVEL_IOU = 0.8
"""A region that overlaps a kept one this much would be nearly the same crop again."""
DETECTED_SHARE = 0.6
"""Of the budget, at most this is for detections: the tiles must reach what nothing detects."""


def choose(
    proposals: Sequence[Proposal],
    budget: int,
    image: Image.Image,
) -> list[Proposal]:
    """Return at most `budget` of a photo's proposals, in their order; all of them if they fit.

    Detections come by confidence, tiles by detail; sizes (octaves of area) take turns, so that
    many small tiles do not crowd out the large ones, nor the other way round. The whole photo
    always stays.
    """
    if len(proposals) <= budget:
        return list(proposals)
    wholes = [n for n, p in enumerate(proposals) if p.source is Source.WHOLE]
    tiles = [n for n, p in enumerate(proposals) if p.source is Source.TILE]
    found = [n for n in range(len(proposals)) if n not in {*wholes, *tiles}]
    room = max(budget - len(wholes) - len(tiles), int(DETECTED_SHARE * budget))
    kept = wholes + _by_turns(proposals, _novel(proposals, found), room)
    edges = Detail(image).within([proposals[n].box for n in tiles])
    merits = dict(zip(tiles, edges, strict=True))
    tiles.sort(key=lambda n: -merits[n])
    kept += _by_turns(proposals, tiles, budget - len(kept))
    return [proposals[n] for n in sorted(kept)]


def _novel(proposals: Sequence[Proposal], found: Sequence[int]) -> list[int]:
    """Return the detections that are no near-copies of more confident ones, best first."""
    order = sorted(found, key=lambda n: -(proposals[n].confidence or 0.0))
    corners = np.array([proposals[n].box.as_tuple() for n in order], float).reshape(-1, 4)
    return [order[n] for n in apart(corners, NOVEL_IOU)]


def _by_turns(proposals: Sequence[Proposal], ranked: Sequence[int], room: int) -> list[int]:
    """Take the best of each octave of area in turn until there is no room or nothing left."""
    octaves: dict[int, list[int]] = {}
    for n in ranked:
        octaves.setdefault(round(math.log2(max(1, proposals[n].box.area))), []).append(n)
    queues = [iter(octaves[size]) for size in sorted(octaves, reverse=True)]
    taken: list[int] = []
    while queues and len(taken) < room:
        for queue in list(queues):
            best = next(queue, None)
            if best is None:
                queues.remove(queue)
            elif len(taken) < room:
                taken.append(best)
    return taken
