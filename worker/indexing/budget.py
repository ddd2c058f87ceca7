"""Which of the proposed regions are worth their place when there are more than may be kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from common.contract.fields import HitSource
from worker.boxes import apart, corners
from worker.indexing.detail import Detail
from worker.indexing.regions import Proposal

NOVEL_IOU = 0.8
"""A region that overlaps a kept one this much would be nearly the same crop again."""
DETECTED_SHARE = 0.6
"""Of the budget, at most this is for detections: the tiles must reach what nothing detects."""
COARSE = 3.5
"""Tiles of more than the image's shorter side divided by this show scenes, which no detector boxes.
Smaller ones make up for what it leaves out."""


def choose(
    proposals: Sequence[Proposal],
    budget: int,
    enough: int,
    image: Image.Image,
) -> list[Proposal]:
    """Return at most `budget` of an image's proposals, in their order.

    The whole image always stays; then come detections, by confidence; then coarse tiles, by detail;
    then fine ones, but only while there are fewer than `enough` regions: a detector that boxes many
    things leaves little for them to find. Sizes (octaves of area) take turns, so that many small
    regions do not crowd out the large ones, nor the other way round.
    """
    if len(proposals) <= min(budget, enough):
        return list(proposals)
    wholes, tiles, detections = (
        [n for n, p in enumerate(proposals) if p.source is source]
        for source in (HitSource.WHOLE, HitSource.TILE, HitSource.DETECTOR)
    )
    edges = Detail(image).within([proposals[n].box for n in tiles])
    merits = dict(zip(tiles, edges, strict=True))
    tiles.sort(key=lambda n: -merits[n])
    scenes = {n for n in tiles if _shorter(proposals[n]) * COARSE > min(image.size)}
    coarse = [n for n in tiles if n in scenes]
    fine = [n for n in tiles if n not in scenes]
    room = max(budget - len(wholes) - len(coarse), int(DETECTED_SHARE * budget))
    if len(detections) > room:
        detections = _by_turns(proposals, _novel(proposals, detections), room)
    kept = wholes + detections
    kept += _by_turns(proposals, coarse, budget - len(kept))
    kept += _by_turns(proposals, fine, min(budget, enough) - len(kept))
    return [proposals[n] for n in sorted(kept)]


def _shorter(proposal: Proposal) -> int:
    return min(proposal.box.width, proposal.box.height)


def _novel(proposals: Sequence[Proposal], detections: Sequence[int]) -> list[int]:
    """Return the detections that are no near-copies of more confident ones, best first."""
    order = sorted(detections, key=lambda n: -(proposals[n].confidence or 0.0))
    boxes = corners(proposals[n].box for n in order)
    return [order[n] for n in apart(boxes, NOVEL_IOU, equal_is_same=False)]


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
