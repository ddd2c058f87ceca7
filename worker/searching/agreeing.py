"""How far an image shows, at a verified place, what the query shows: detail by detail.

Local features agree on where a thing is; that says little of what lies between them. Another code,
another number or flavour, another mug with the same emblem share corners and letters. So the place
is brought into the query's frame and compared block by block (normalised correlation).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common import pictures
from common.errors import NeedleError
from common.images import ImageStore, image_key
from worker.local.placement import FOUND, Placement
from worker.searching.standing import SURE
from worker.searching.verifying import Places, Proof

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

FRAME_PX = 96
"""The query's side, the root of its area, in which both are compared."""
BLOCK_PX = 16
SLACK_PX = 5
"""How far a block may lie from its place: no transform is exact, and few things are flat."""
PLAIN = 6.0
"""Grey levels that a block's pixels deviate from their mean at least; plainer ones say nothing."""
LEAST_BLOCKS = 3
WORSE = 0.5
"""Share of the query's detail that counts: that which the image shows the least."""
IMAGES = 4
"""Images whose places are compared together."""
MOST_IMAGES = 12
"""Those that are compared, as many at a time, as long as none agrees."""
AGREES = 0.6
RIVAL = 0.35
"""At first only those are, whose evidence is at least this share of the most."""
CHANCE = 0.25
"""Agreement below which a proof that chance might give was given by chance."""
CONFIRMED = 0.85
"""Agreement from which on a place is shown to be right that local features alone do not prove."""
PIXELS = 48_000_000
"""Most pixels that are decoded for it in a search, 11 bytes each for a moment."""
JPEG = "image/jpeg"


@dataclass(frozen=True)
class Agreer:
    """Compares the details of the best verified places with the query's."""

    images: ImageStore
    max_pixels: int

    def compare(self, proof: Proof, queries: Sequence[Image.Image], collection: str) -> Proof:
        """Return the proof with the agreement of its best places, and without what is not there.

        `queries` are a thing's RGB images, any of which may be what an image shows.
        """
        every = {**proof.doubtful, **proof.places}
        left = PIXELS
        with ThreadPoolExecutor(IMAGES) as pool:
            for rivals in _rounds(proof) if queries else ():
                wanted, left = self._opened(
                    collection, {name: every[name] for name in rivals}, left
                )
                seen = list(pool.map(lambda one: self._compared(one, queries), wanted))
                every |= {one.image_id: places for one, places in zip(wanted, seen, strict=True)}
                if any((places[0].agreement or 0) >= AGREES for places in seen):
                    break
        kept = {name: lasting for name, places in every.items() if (lasting := _lasting(places))}
        return replace(proof, places=kept, doubtful={})

    def _opened(
        self, collection: str, rivals: Mapping[str, Places], left: int
    ) -> tuple[list[_Rival], int]:
        """Return the rivals that can be read, in their order, and the pixels that are left then."""
        opened: list[_Rival] = []
        for name, places in rivals.items():
            try:
                content = self.images.open(image_key(collection, name))
                header = pictures.inspect(content, max_pixels=self.max_pixels)
            except NeedleError as error:
                log.warning("%s is not compared: %s", name, error.message)
                continue
            coarser = _coarser(places[0]) if header.media_type == JPEG else 1
            pixels = header.width * header.height // coarser**2
            if pixels > left:
                return opened, 0
            left -= pixels
            opened.append(_Rival(name, places, content, header.width, header.height, coarser))
        return opened, left

    def _compared(self, rival: _Rival, queries: Sequence[Image.Image]) -> Places:
        """Return an image's places, the surest with its agreement."""
        try:
            image = pictures.decode(
                rival.content, max_pixels=self.max_pixels, coarser=rival.coarser
            )
        except NeedleError as error:
            log.warning("%s is not compared: %s", rival.image_id, error.message)
            return rival.places
        ratios = np.array([image.width / rival.width, image.height / rival.height], np.float32)
        first = rival.places[0]
        quad = np.array(first.whole or first.quad, np.float32) * ratios
        shown = [agreement(query, image, quad) for query in queries]
        best = max((one for one in shown if one is not None), default=None)
        return (replace(first, agreement=best), *rival.places[1:])


@dataclass(frozen=True)
class _Rival:
    """An image whose surest place is compared: its bytes, its size, and how to decode it."""

    image_id: str
    places: Places
    content: bytes
    width: int
    height: int
    coarser: int


def _coarser(place: Placement) -> int:
    """Return how much smaller an image may be decoded, so that the place fills the frame."""
    corners = np.array(place.quad, np.float32)
    gain = math.sqrt(abs(cv2.contourArea(corners))) / FRAME_PX
    return 1 if gain < 2 else 2 if gain < 4 else 4


def surely_there(place: Placement) -> bool:
    """Tell whether a place needs no closer look: it is proven beyond chance, or its details are."""
    shown = place.agreement
    return place.evidence >= SURE or (shown is not None and shown >= CONFIRMED)


def _rounds(proof: Proof) -> Iterator[list[str]]:
    """Yield the images whose places are compared, those with the most evidence first.

    Where none of the first agrees, the next must not pass for surer because nobody looked.
    """

    def best(places: Mapping[str, Places]) -> list[str]:
        return sorted(places, key=lambda name: (-places[name][0].evidence, name))

    proven, most = best(proof.places), _most_evidence(proof)
    close = [name for name in proven if proof.places[name][0].evidence >= RIVAL * most]
    doubtful = best(proof.doubtful) if most < SURE else []
    first = [*close, *doubtful][:IMAGES]
    yield first
    later = [name for name in [*proven, *doubtful] if name not in first]
    for start in range(0, MOST_IMAGES - IMAGES, IMAGES):
        yield later[start : start + IMAGES]


def _most_evidence(proof: Proof) -> float:
    return max((own[0].evidence for own in proof.places.values()), default=0.0)


def _lasting(places: Places) -> Places:
    """Return the places without a first one that is not proven, now that it was compared."""
    first = places[0]
    shown = first.agreement
    if first.evidence < FOUND:
        proven = shown is not None and shown >= CONFIRMED
    else:
        proven = shown is None or shown >= CHANCE or first.evidence >= SURE
    return places if proven else tuple(p for p in places[1:] if p.evidence >= FOUND)


def agreement(query: Image.Image, image: Image.Image, quad: Floats) -> float | None:
    """Return how much of the query's detail the image shows at a place, 0..1.

    Both are RGB; `quad` (4, 2) are the query's corners in the image, as in `Placement`. None where
    the query has too little detail, or too little of it lies in the image.
    """
    frame = _frame(query)
    warped = _seen(image, quad, frame.shape[1], frame.shape[0])
    if warped is None:
        return None
    seen, inside = warped
    alike: list[float] = []
    weights: list[float] = []
    height, width = frame.shape[:2]
    for top in range(0, height - BLOCK_PX + 1, BLOCK_PX):
        for left in range(0, width - BLOCK_PX + 1, BLOCK_PX):
            block = frame[top : top + BLOCK_PX, left : left + BLOCK_PX]
            detail = float(block.std(axis=(0, 1)).max())
            around = (
                slice(max(0, top - SLACK_PX), top + BLOCK_PX + SLACK_PX),
                slice(max(0, left - SLACK_PX), left + BLOCK_PX + SLACK_PX),
            )
            if detail < PLAIN or not inside[around].all():
                continue
            found = cv2.matchTemplate(seen[around], block, cv2.TM_CCOEFF_NORMED)
            best = float(found.max())
            alike.append(max(0.0, best) if math.isfinite(best) else 0.0)
            weights.append(min(detail, 40.0))
    if len(alike) < LEAST_BLOCKS:
        return None
    return round(_of_the_worse(np.array(alike), np.array(weights)), 3)


def _of_the_worse(alike: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the mean of the worse half: where one number differs, most else is the same."""
    order = np.argsort(alike)
    before = np.cumsum(weights[order]) - weights[order]
    half = np.clip(WORSE * weights.sum() - before, 0, weights[order])
    return float((alike[order] * half).sum() / half.sum())


def _frame(query: Image.Image) -> Floats:
    pixels = np.asarray(query)
    height, width = pixels.shape[:2]
    gain = FRAME_PX / math.sqrt(width * height)
    size = (max(BLOCK_PX, round(width * gain)), max(BLOCK_PX, round(height * gain)))
    how = cv2.INTER_AREA if gain < 1 else cv2.INTER_LINEAR
    sized: Any = cv2.resize(pixels, size, interpolation=how)
    return np.asarray(sized, np.float32)


def _seen(
    image: Image.Image, quad: Floats, width: int, height: int
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """Return the place in the query's frame, and which of its pixels the image has, if any."""
    low = np.maximum(np.floor(quad.min(axis=0)).astype(int) - 2, 0)
    high = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + 3, image.size)
    if (low >= high).any():
        return None
    part = np.asarray(image.crop((*low.tolist(), *high.tolist())))
    # Reduced first where the place is finer than the frame: warping reads single pixels.
    sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    gain = min(1.0, math.sqrt(width * height / max(1.0, float(sides.max() * sides.min()))))
    if gain < 1:
        size = tuple(max(1, round(side * gain)) for side in (part.shape[1], part.shape[0]))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    ratio = np.array([part.shape[1], part.shape[0]], np.float32) / np.maximum(high - low, 1)
    corners = ((quad - low) * ratio).astype(np.float32)
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(frame, corners)
    # Corners are those of pixels' edges; OpenCV counts from their centres.
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrix = np.linalg.inv(shift) @ matrix @ shift
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen: Any = cv2.warpPerspective(part, matrix, (width, height), flags=flags)
    whole = np.full(part.shape[:2], 255, np.uint8)
    inside: Any = cv2.warpPerspective(whole, matrix, (width, height), flags=flags)
    return np.asarray(seen, np.float32), np.asarray(inside) > 127
