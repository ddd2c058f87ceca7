"""From detections to regions: the whole, what is detected, tiles, and what of it fits the budget.

And from images to detections, where a detector of its own finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from common.geometry import Box
from common.settings import Settings
from worker.indexing.budget import choose
from worker.indexing.embedding import cut
from worker.indexing.means import Means
from worker.indexing.profiles import Profile, profile_of
from worker.indexing.regions import Proposal, propose
from worker.indexing.slices import Slicing, joined
from worker.models.base import Detection, Detector


def regions_of(
    image: Image.Image, detections: Sequence[Detection], profile: Profile
) -> list[Proposal]:
    """Return an RGB image's regions, the whole first, at most the profile's budget.

    `detections` come most confident first.
    """
    proposals = propose(*image.size, detections[: profile.budget], profile.tiling)
    return choose(proposals, profile.budget, profile.enough, image)


@dataclass(frozen=True)
class Proposer:
    """Proposes the regions of images with one detector, or with none."""

    detector: Detector | None
    settings: Settings
    means: Means | None = None
    """What there is time for on this device; None: all that a profile asks for."""

    def recipe(self, profile: str, confidence_threshold: float) -> str:
        """Name everything that decides an image's regions."""
        detector = self.detector.id if self.detector else "none"
        return f"{detector}@{confidence_threshold}|{self.profile(profile).describe()}"

    def propose(
        self, images: Sequence[Image.Image], *, profile: str, confidence_threshold: float
    ) -> list[list[Proposal]]:
        """Return each RGB image's regions, the whole first, at most the profile's budget."""
        chosen = self.profile(profile)
        detections = self._detect(images, chosen, confidence_threshold)
        return [
            regions_of(image, found, chosen)
            for image, found in zip(images, detections, strict=True)
        ]

    def profile(self, name: str) -> Profile:
        """Return the named profile, as it is for this detector."""
        detects = self.detector is not None
        return profile_of(name, self.settings, detects=detects, means=self.means)

    def slices(self, image: Image.Image, profile: Profile) -> list[Box]:
        """Return the parts of an image that are detected in on their own."""
        if self.detector is None or profile.slicing is None:
            return []
        side_px = round(profile.slicing * self.detector.side_px)
        return Slicing(side_px, most=profile.slices).boxes(*image.size)

    def _detect(
        self, images: Sequence[Image.Image], profile: Profile, confidence_threshold: float
    ) -> list[list[Detection]]:
        """Detect in images and in their slices, all in the same full batches."""
        if self.detector is None:
            return [[] for _ in images]
        slices = [self.slices(image, profile) for image in images]
        views = [(image, Box(0, 0, *image.size)) for image in images]
        views += [(i, box) for i, boxes in zip(images, slices, strict=True) for box in boxes]
        detections = [
            found
            for part in cut(views)
            for found in self.detector.detect(part, confidence_threshold=confidence_threshold)
        ]
        parts = iter(detections[len(images) :])
        return [
            joined(*image.size, whole, list(zip(boxes, parts, strict=False))) if boxes else whole
            for image, whole, boxes in zip(images, detections, slices, strict=False)
        ]
