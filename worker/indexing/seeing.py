"""From pixels to regions and their embeddings, in one of two ways, by what the pack's encoder is.

An encoder of crops needs a detector beside it and sees an image piece by piece: the detector its
slices, the encoder every region, all in full batches over several images. A dense encoder sees an
image once; what is in it, and the embedding of any box, is then read off its maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from common.settings import Settings
from worker.indexing.embedding import embedded
from worker.indexing.means import Costs, Means
from worker.indexing.profiles import Profile, profile_of
from worker.indexing.proposing import Proposer, regions_of
from worker.indexing.regions import Proposal
from worker.models.base import DenseEncoder, Detector, Embeddings, Encoder, FeatureMaps


@dataclass(frozen=True)
class Seen:
    """An image's regions, the whole first, and their embeddings, float32 (regions, dim)."""

    regions: list[Proposal]
    embeddings: Embeddings


class Seer(Protocol):
    """Sees images as they are indexed."""

    @property
    def encoder(self) -> Encoder:
        """What embeds."""
        ...

    def recipe(self, profile: str, confidence_threshold: float) -> str:
        """Name everything that decides an image's regions and their embeddings."""
        ...

    def profile(self, name: str) -> Profile:
        """Return the named profile, as it is for these networks."""
        ...

    def seconds(self, profile: str, costs: Costs) -> float:
        """Return what the networks take at most, about, for one image."""
        ...

    def see(
        self, images: Sequence[Image.Image], *, profile: str, confidence_threshold: float
    ) -> list[Seen]:
        """Return what is seen of each RGB image. Raises DeviceUnavailable."""
        ...


@dataclass(frozen=True)
class CropSeer:
    """Sees crops: a detector, or none, proposes them, and an encoder embeds each."""

    proposer: Proposer
    encoder: Encoder

    def recipe(self, profile: str, confidence_threshold: float) -> str:
        """See Seer."""
        return f"{self.encoder.id}|{self.proposer.recipe(profile, confidence_threshold)}"

    def profile(self, name: str) -> Profile:
        """See Seer."""
        return self.proposer.profile(name)

    def seconds(self, profile: str, costs: Costs) -> float:
        """See Seer."""
        return _most_seconds(self.profile(profile), costs)

    def see(
        self, images: Sequence[Image.Image], *, profile: str, confidence_threshold: float
    ) -> list[Seen]:
        """See Seer."""
        proposed = self.proposer.propose(
            images, profile=profile, confidence_threshold=confidence_threshold
        )
        boxes = [
            (image, region.box)
            for image, regions in zip(images, proposed, strict=True)
            for region in regions
        ]
        embeddings = embedded(self.encoder, boxes)
        ends = np.cumsum([len(regions) for regions in proposed])
        parts = np.split(embeddings, ends[:-1])
        return [Seen(*pair) for pair in zip(proposed, parts, strict=True)]


@dataclass(frozen=True)
class DenseSeer:
    """Sees each image once, with a dense encoder; a detector of its own may find things instead."""

    encoder: DenseEncoder
    settings: Settings
    proposer: Proposer | None = None

    def recipe(self, profile: str, confidence_threshold: float) -> str:
        """See Seer."""
        chosen = self.profile(profile)
        seen = f"{self.encoder.id}|maps/{chosen.pixels}"
        if self.proposer is not None:
            return f"{seen}|{self.proposer.recipe(profile, confidence_threshold)}"
        return f"{seen}@{confidence_threshold}|{chosen.describe()}"

    def profile(self, name: str) -> Profile:
        """See Seer."""
        if self.proposer is not None:
            return self.proposer.profile(name)
        return profile_of(name, self.settings, detects=True)

    def seconds(self, profile: str, costs: Costs) -> float:
        """See Seer."""
        return _most_seconds(self.profile(profile), costs)

    def see(
        self, images: Sequence[Image.Image], *, profile: str, confidence_threshold: float
    ) -> list[Seen]:
        """See Seer. The maps of one image at a time are in memory."""
        chosen = self.profile(profile)
        if self.proposer is None:
            return list(self._each(images, chosen, confidence_threshold))
        proposed = self.proposer.propose(
            images, profile=profile, confidence_threshold=confidence_threshold
        )
        return [
            _read(self.encoder.maps(image, pixels=chosen.pixels), regions)
            for image, regions in zip(images, proposed, strict=True)
        ]

    def _each(
        self, images: Sequence[Image.Image], profile: Profile, confidence_threshold: float
    ) -> Iterator[Seen]:
        for image in images:
            maps = self.encoder.maps(image, pixels=profile.pixels)
            detections = maps.detections(confidence_threshold=confidence_threshold)
            yield _read(maps, regions_of(image, detections, profile))


def seer_of(
    encoder: Encoder,
    detector: Detector | None,
    settings: Settings,
    means: Means | None = None,
) -> Seer:
    """Return the way that an encoder sees images in; a dense one needs no detector.

    `means` are what there is time for on this device; a dense encoder takes its time from pixels.
    """
    proposer = Proposer(detector, settings, means)
    if isinstance(encoder, DenseEncoder):
        return DenseSeer(encoder, settings, proposer if detector else None)
    return CropSeer(proposer, encoder)


def _most_seconds(profile: Profile, costs: Costs) -> float:
    views = 1 + (profile.slices if profile.slicing else 0)
    megapixels = profile.pixels / 1e6
    return profile.budget * costs.crop_s + views * costs.view_s + megapixels * costs.megapixel_s


def _read(maps: FeatureMaps, regions: list[Proposal]) -> Seen:
    return Seen(regions, maps.embeddings([region.box for region in regions]))
