"""What of an image can be seen in the time that it may take on this device, and what that costs.

An encoder of crops costs the same for every region: a tenth of a millisecond on one device, a tenth
of a second on another. So it is timed once, when the models are loaded, and where a profile asks
for more regions than there is time for, an image has fewer. What a dense encoder costs is
bounded by a profile's pixels; it is timed to be told.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from worker.models.base import DenseEncoder, Detector, Encoder

CROPS, CROP_PX = 8, 96
TURNS = 2
"""Each is timed so often, after once for warming up; the shortest counts."""
VIEWS_SHARE = 0.25
"""Share of an image's time that a detector may have."""
LEAST_REGIONS = 16


@dataclass(frozen=True)
class Costs:
    """What seeing takes on this device, in seconds: a crop, a detector's square, a megapixel.

    What a pack does not have takes none.
    """

    crop_s: float = 0.0
    view_s: float = 0.0
    megapixel_s: float = 0.0

    @classmethod
    def measured(cls, encoder: Encoder, detector: Detector | None) -> Costs:
        """Run the networks a few times, on noise."""
        crop_s = view_s = megapixel_s = 0.0
        if isinstance(encoder, DenseEncoder):
            image = _noise(1000)
            megapixel_s = _seconds(partial(_see, encoder, image))
        else:
            crop_s = _seconds(partial(encoder.encode_images, [_noise(CROP_PX)] * CROPS)) / CROPS
        if detector is not None:
            views = [_noise(detector.side_px)]
            view_s = _seconds(partial(detector.detect, views, confidence_threshold=0.5))
        return cls(crop_s, view_s, megapixel_s)


@dataclass(frozen=True)
class Means:
    """The most that an image may have: regions, and views of its slices for the detector."""

    regions: int
    views: int

    @classmethod
    def of(cls, seconds: float, costs: Costs, before: Means | None = None) -> Means:
        """Return what there is time for, in powers of two, at most about `seconds` an image.

        `before` is what an earlier measurement on the device came to. It stands unless it is out
        by a factor of two: with other numbers all images would be indexed anew.
        """
        return cls(
            max(
                LEAST_REGIONS,
                _steady(
                    (1 - VIEWS_SHARE) * seconds / max(costs.crop_s, 1e-9),
                    before.regions if before else None,
                ),
            ),
            _steady(
                VIEWS_SHARE * seconds / max(costs.view_s, 1e-9), before.views if before else None
            ),
        )

    @classmethod
    def told(cls, models: Mapping[str, Any] | None, models_now: Mapping[str, Any]) -> Means | None:
        """Return the means that a worker has told of before, if it had the same models and device.

        `models` is what it told, `models_now` what this one is going to tell without its means.
        """
        if models is None or any(models.get(name) != told for name, told in models_now.items()):
            return None
        told = models.get("means")
        return cls(**told) if isinstance(told, dict) and set(told) == {"regions", "views"} else None

    def as_dict(self) -> dict[str, int]:
        """Return the JSON form."""
        return asdict(self)


def _steady(exact: float, before: int | None) -> int:
    """Return the power of two at or below a number, or the one before unless it is far off."""
    if before is not None and before / 2 <= exact < 4 * before:
        return before
    return int(2 ** math.floor(math.log2(min(max(exact, 1.0), 2.0**20))))


def _noise(side: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    return Image.fromarray(pixels)


def _see(encoder: DenseEncoder, image: Image.Image) -> None:
    maps = encoder.maps(image, pixels=image.width * image.height)
    maps.detections(confidence_threshold=0.5)


def _seconds(work: Callable[[], object]) -> float:
    """Return how long it takes at best."""
    work()
    taken = []
    for _ in range(TURNS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)
