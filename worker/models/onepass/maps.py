"""What the network saw of one image, scale by scale, and what is read off it for a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.geometry import Box
from worker.boxes import corners
from worker.models.base import Detection, Embeddings
from worker.models.onepass.detecting import Candidates, detections
from worker.models.onepass.engine import Engine, Floats
from worker.models.onepass.scales import Scale, nearest_scale

FINE_PX, DEEP_PX = 16, 32
"""Sides of the maps' cells in pixels of their scale."""


@dataclass(frozen=True)
class ScaleMaps:
    """The maps of one scale: `things` at stride 16, and `deep` at stride 32 where it was made."""

    scale: Scale
    things: Floats
    deep: Floats | None


@dataclass(frozen=True)
class OnePassMaps:
    """A `FeatureMaps`: an image of `width` x `height` pixels, seen at every scale, finest first."""

    width: int
    height: int
    scales: tuple[ScaleMaps, ...]
    candidates: Candidates
    engine: Engine
    dims: tuple[int, int]
    weights: tuple[float, float]
    """Lengths of the two parts of an embedding: what the thing is, and its kind."""

    def detections(self, *, confidence_threshold: float) -> list[Detection]:
        """See FeatureMaps."""
        return detections(self.candidates, confidence_threshold)

    def embeddings(self, boxes: Sequence[Box]) -> Embeddings:
        """See FeatureMaps. Boxes may leave the image; what lies outside is not looked at."""
        places = corners(boxes)
        rows = np.zeros((len(places), sum(self.dims)), np.float32)
        deep = [maps for maps in self.scales if maps.deep is not None]
        fine_of = nearest_scale(places, [maps.scale for maps in self.scales])
        deep_of = nearest_scale(places, [maps.scale for maps in deep])
        pairs = set(zip(fine_of.tolist(), deep_of.tolist(), strict=True))
        for fine_number, deep_number in sorted(pairs):
            chosen = np.flatnonzero((fine_of == fine_number) & (deep_of == deep_number))
            fine, kinds = self.scales[fine_number], deep[deep_number]
            assert kinds.deep is not None
            in_fine = _in_cells(places[chosen], fine.scale, FINE_PX)
            in_deep = _in_cells(places[chosen], kinds.scale, DEEP_PX)
            own = self.engine.things(fine.things, kinds.deep, in_fine, in_deep)
            kind = self.engine.kinds(kinds.deep, in_deep)
            rows[chosen] = np.concatenate((own * self.weights[0], kind * self.weights[1]), axis=1)
        return rows


def _in_cells(places: NDArray[np.float64], scale: Scale, cell_px: int) -> Floats:
    ratios = np.array([scale.across, scale.down] * 2) / cell_px
    return (places * ratios).astype(np.float32)
