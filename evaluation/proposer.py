"""The regions that the index worker would propose, and which labelled boxes they meet."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from common.settings import Settings
from evaluation.bootstrap import Estimate, mean_interval
from evaluation.boxes import iou
from evaluation.photos import Photo

# The service's own choice on purpose: a copy would go stale without anybody's notice.
from worker.context import _overlap
from worker.models.base import Detection, Detector
from worker.regions import Proposal, Tiling, propose


@dataclass
class Proposer:
    """Proposes regions with the settings' tiling and threshold; `seconds` spent detecting."""

    detector: Detector | None
    settings: Settings
    seconds: float = 0.0

    def propose(self, images: Sequence[Image.Image]) -> list[list[Proposal]]:
        """Return each RGB image's regions."""
        s = self.settings
        overlap = _overlap(s, self.detector)
        tiling = Tiling(s.scales, overlap, s.tile_min_px, s.tiles_per_image)
        found = self._detect(images)
        return [propose(*i.size, hits, tiling) for i, hits in zip(images, found, strict=True)]

    def _detect(self, images: Sequence[Image.Image]) -> list[list[Detection]]:
        if self.detector is None:
            return [[] for _ in images]
        threshold = self.settings.confidence_threshold
        started = time.perf_counter()
        found = self.detector.detect(images, confidence_threshold=threshold)
        self.seconds += time.perf_counter() - started
        return found


@dataclass
class Coverage:
    """How well proposals meet the labelled boxes of the photos shown so far."""

    sets: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    overlaps: list[float] = field(default_factory=list)

    def add(self, photo: Photo, proposals: Sequence[Proposal]) -> None:
        """Look at one photo; its difficult boxes do not count."""
        boxes = [box for box in photo.boxes if not box.difficult]
        if not boxes:
            return
        regions = [proposal.box.as_tuple() for proposal in proposals]
        best = iou([box.corners for box in boxes], regions).max(axis=1)
        self.sets += [photo.set] * len(boxes)
        self.shares += [photo.share(box) for box in boxes]
        self.overlaps += best.tolist()

    def recall(self, bands: Mapping[str, tuple[float, float]], at: float = 0.5) -> dict[str, Any]:
        """Return the share of boxes with a region of that IoU: by set, then by band of sizes."""
        sets, shares = np.array(self.sets), np.array(self.shares)
        met = np.array(self.overlaps) >= at
        found: dict[str, dict[str, Estimate]] = {}
        for name in sorted(set(self.sets)):
            for band, (low, high) in bands.items():
                chosen = (sets == name) & (low <= shares) & (shares < high)
                found.setdefault(name, {})[band] = mean_interval(met[chosen])
        return found
