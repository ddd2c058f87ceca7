"""From images to regions: the whole, slices and detector, tiles, and what of it fits the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from common.catalogue import ImageRecord
from common.settings import Settings
from worker.indexing.budget import choose
from worker.indexing.image import LoadedImage
from worker.indexing.options import IndexOptions
from worker.indexing.regions import Proposal, Tiling, propose
from worker.indexing.slices import Slicing, joined
from worker.models.base import Detection, Detector
from worker.vectors.base import Region


@dataclass(frozen=True)
class Profile:
    """How thoroughly images are cut up. More regions find smaller things and cost more."""

    tiling: Tiling
    slicing: float | None
    """Side of the slices that are detected in on their own, in sides of the detector's square."""
    budget: int
    """Most regions of an image."""
    enough: int
    """Regions from which on no fine tiles are added: the detector has boxed what there is."""

    def describe(self) -> str:
        """Name everything that decides the regions of given detections."""
        t = self.tiling
        tiles = f"{t.scales}/{t.overlap}/{t.min_px}/{t.most}"
        return f"{tiles}|{self.slicing}|{self.budget}|{self.enough}"


PROFILES = {
    "fast": Profile(Tiling((1, 2, 3), 0.0, 112), None, 64, 64),
    "balanced": Profile(Tiling((1, 2, 3, 4, 6, 9, 12), 0.5, 64), 1.5, 600, 250),
    "thorough": Profile(Tiling((1, 2, 3, 4, 6, 9, 12, 16), 0.5, 48), 0.75, 1200, 600),
}
ALONE_OVERLAP = 0.5
"""Where nothing is detected, tiles alone must meet every object somewhere near its middle."""


def profile_of(name: str, settings: Settings, detector: Detector | None) -> Profile:
    """Return the named profile with what the settings say instead."""
    profile = PROFILES[name]
    tiling = profile.tiling
    overlap = tiling.overlap if detector else max(tiling.overlap, ALONE_OVERLAP)
    tiling = Tiling(
        tiling.scales if settings.scales is None else settings.scales,
        overlap if settings.tile_overlap is None else settings.tile_overlap,
        settings.tile_min_px or tiling.min_px,
        settings.tiles_per_image,
    )
    budget = settings.regions_per_image or profile.budget
    # Tiles whose scales are set, and tiles without a detector beside them, all count.
    sparing = detector is not None and settings.scales is None
    return replace(
        profile,
        tiling=tiling,
        slicing=profile.slicing if detector else None,
        budget=budget,
        enough=min(budget, profile.enough) if sparing else budget,
    )


@dataclass(frozen=True)
class Proposer:
    """Proposes the regions of images with one detector, or with none."""

    detector: Detector | None
    settings: Settings

    def recipe(self, profile: str, confidence_threshold: float) -> str:
        """Name everything that decides an image's regions."""
        detector = self.detector.id if self.detector else "none"
        chosen = profile_of(profile, self.settings, self.detector)
        return f"{detector}@{confidence_threshold}|{chosen.describe()}"

    def with_regions(
        self, images: Sequence[LoadedImage], options: IndexOptions
    ) -> list[LoadedImage]:
        """Return the images with their regions, in order."""
        proposed = self.propose(
            [image.pixels for image in images],
            profile=options.profile,
            confidence_threshold=options.confidence_threshold,
        )
        return [
            replace(image, regions=tuple(_region(image.record, proposal) for proposal in proposals))
            for image, proposals in zip(images, proposed, strict=True)
        ]

    def propose(
        self, images: Sequence[Image.Image], *, profile: str, confidence_threshold: float
    ) -> list[list[Proposal]]:
        """Return each RGB image's regions, the whole first, at most the profile's budget."""
        chosen = profile_of(profile, self.settings, self.detector)
        detections = self._detect(images, chosen, confidence_threshold)
        return [
            choose(
                propose(*image.size, hits[: chosen.budget], chosen.tiling),
                chosen.budget,
                chosen.enough,
                image,
            )
            for image, hits in zip(images, detections, strict=True)
        ]

    def _detect(
        self, images: Sequence[Image.Image], profile: Profile, confidence_threshold: float
    ) -> list[list[Detection]]:
        """Detect in images and in their slices, all in the same full batches."""
        if self.detector is None:
            return [[] for _ in images]
        slicing = Slicing(round((profile.slicing or 0) * self.detector.side_px))
        slices = [slicing.boxes(*i.size) if profile.slicing else [] for i in images]
        views = list(images) + [
            image.crop(box.as_tuple())
            for image, boxes in zip(images, slices, strict=True)
            for box in boxes
        ]
        detections = self.detector.detect(views, confidence_threshold=confidence_threshold)
        parts = iter(detections[len(images) :])
        return [
            joined(*image.size, whole, list(zip(boxes, parts, strict=False))) if boxes else whole
            for image, whole, boxes in zip(images, detections, slices, strict=False)
        ]


def _region(record: ImageRecord, proposal: Proposal) -> Region:
    confidence = proposal.confidence
    return Region(
        image_id=record.image_id,
        box=proposal.box,
        source=proposal.source,
        label=proposal.label,
        confidence=None if confidence is None else round(confidence, 4),
        filename=record.filename,
        metadata=record.metadata,
    )
