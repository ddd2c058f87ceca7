"""How thoroughly images are looked at and cut up: a job's choice, with what the settings say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.settings import Settings
from worker.indexing.means import Means
from worker.indexing.regions import Tiling
from worker.indexing.slices import MOST_SLICES


@dataclass(frozen=True)
class Finest:
    """A bound on local features: how fine the finest are, and how many.

    They are found at no more than so many `pixels`, and images of fewer are not enlarged for them.
    `share` (0..1) are kept of those that a job asks for.
    """

    pixels: int
    share: float


@dataclass(frozen=True)
class Profile:
    """How thoroughly images are cut up. More regions find smaller things and cost more."""

    tiling: Tiling
    slicing: float | None
    """Side of the slices that are detected in on their own, in sides of the detector's square.

    For an encoder of crops.
    """
    pixels: int
    """Most pixels of the finest scale that a dense encoder sees an image at."""
    budget: int
    """Most regions of an image."""
    enough: int
    """Regions from which on no fine tiles are added: the detector has boxed what there is."""
    slices: int = MOST_SLICES
    """Most slices of an image."""
    keypoints: Finest | None = None
    """How fine local features are; None means as fine as can be."""

    def describe(self) -> str:
        """Name everything that decides the regions of given detections."""
        t = self.tiling
        tiles = f"{t.scales}/{t.overlap}/{t.min_px}/{t.most}"
        few = "" if self.slices == MOST_SLICES else f"/{self.slices}"
        return f"{tiles}|{self.slicing}{few}|{self.budget}|{self.enough}"


PROFILES = {
    "fast": Profile(
        Tiling((1, 2, 3), 0.0, 112), None, 300_000, 64, 64, keypoints=Finest(1_500_000, 0.4)
    ),
    "balanced": Profile(Tiling((1, 2, 3, 4, 6, 9, 12), 0.5, 64), 1.5, 3_600_000, 600, 250),
    "thorough": Profile(Tiling((1, 2, 3, 4, 6, 9, 12, 16), 0.5, 48), 0.75, 16_000_000, 1200, 600),
}
ALONE_OVERLAP = 0.5
"""Where nothing is detected, tiles alone must meet every object somewhere near its middle."""


def profile_of(
    name: str, settings: Settings, *, detects: bool, means: Means | None = None
) -> Profile:
    """Return the named profile with what the settings say instead.

    `detects` tells whether things are found beside the tiles. `means` bound what the settings
    leave open.
    """
    profile = PROFILES[name]
    tiling = profile.tiling
    overlap = tiling.overlap if detects else max(tiling.overlap, ALONE_OVERLAP)
    tiling = Tiling(
        tiling.scales if settings.scales is None else settings.scales,
        overlap if settings.tile_overlap is None else settings.tile_overlap,
        settings.tile_min_px or tiling.min_px,
        settings.tiles_per_image,
    )
    affordable = min(profile.budget, means.regions) if means else profile.budget
    budget = settings.regions_per_image or affordable
    # Tiles whose scales are set, and tiles without a detector beside them, all count.
    sparing = detects and settings.scales is None
    return replace(
        profile,
        tiling=tiling,
        slicing=profile.slicing if detects else None,
        budget=budget,
        enough=min(budget, profile.enough) if sparing else budget,
        slices=min(profile.slices, means.views) if means else profile.slices,
    )
