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
from worker.models.onepass.scales import KIND_PX, Scale, nearest_scale

FINE_PX, DEEP_PX = 8, 32
"""Sides of the maps' cells in pixels of their scale."""


@dataclass(frozen=True)
class ScaleMaps:
    """The maps of one scale: `things` at stride 8, and `deep` at stride 32 where it was made."""

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
        kind_of = nearest_scale(places, [maps.scale for maps in deep], KIND_PX)
        for fine_number, deep_number in sorted(set(zip(fine_of, deep_of, strict=True))):
            chosen = np.flatnonzero((fine_of == fine_number) & (deep_of == deep_number))
            own = self._things(self.scales[fine_number], deep[deep_number], places[chosen])
            rows[chosen, : self.dims[0]] = own * self.weights[0]
        for number in sorted(set(kind_of)):
            chosen = np.flatnonzero(kind_of == number)
            kind = self._kinds(deep[number], places[chosen])
            rows[chosen, self.dims[0] :] = kind * self.weights[1]
        return rows

    def _things(self, fine: ScaleMaps, deep: ScaleMaps, places: NDArray[np.float64]) -> Floats:
        assert deep.deep is not None
        return self.engine.things(
            fine.things,
            deep.deep,
            _in_cells(places, fine.scale, FINE_PX),
            _in_cells(places, deep.scale, DEEP_PX),
        )

    def _kinds(self, maps: ScaleMaps, places: NDArray[np.float64]) -> Floats:
        assert maps.deep is not None
        return self.engine.kinds(maps.deep, _in_cells(places, maps.scale, DEEP_PX))


def _in_cells(places: NDArray[np.float64], scale: Scale, cell_px: int) -> Floats:
    ratios = np.array([scale.across, scale.down] * 2) / cell_px
    return (places * ratios).astype(np.float32)
