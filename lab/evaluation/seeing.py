"""What the index worker would see of photos, and which labelled boxes its regions meet."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from common.settings import Settings
from lab.evaluation.bootstrap import Estimate, mean_interval
from lab.evaluation.boxes import iou
from lab.evaluation.photos import Photo
from worker.indexing.regions import Proposal
from worker.indexing.seeing import Seen, Seer


@dataclass
class TimedSeer:
    """Sees images as the index worker does; `seconds` spent doing so."""

    seer: Seer
    settings: Settings
    seconds: float = 0.0

    def see(self, images: Sequence[Image.Image]) -> list[Seen]:
        """Return each RGB image's regions and their embeddings."""
        started = time.perf_counter()
        found = self.seer.see(
            images,
            profile=self.settings.profile,
            confidence_threshold=self.settings.confidence_threshold,
        )
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
