"""What one machine was measured to need: the constants of the model, and where they are from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHIPPED = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class Photo:
    """What an indexed photo of one size costs.

    `processor_s` are seconds of one processor as the operating system counts them, over all
    processes. `photo_bytes` is the file as posted, `file_bytes` what Needle keeps beside it
    (thumbnail, list of regions, local features).
    """

    megapixels: float
    photo_bytes: float
    processor_s: float
    regions: float
    vector_bytes: float
    word_bytes: float
    file_bytes: float


@dataclass(frozen=True)
class Measured:
    """Every constant. `engine` are (points, milliseconds) of one query to one shard, ascending."""

    said: str
    small: Photo
    large: Photo
    catalogue_bytes: float
    job_bytes: float
    search_processor_s: float
    engine: tuple[tuple[float, float], ...]

    def photo(self, megapixels: float) -> Photo:
        """Return what a photo of so many megapixels costs, on the line through the two sizes."""
        share = (megapixels - self.small.megapixels) / (
            self.large.megapixels - self.small.megapixels
        )
        few, many = vars(self.small), vars(self.large)
        costs = {name: few[name] + share * (many[name] - few[name]) for name in few}
        return Photo(**{name: max(cost, 0.0) for name, cost in costs.items()})

    def engine_ms(self, points: float) -> float:
        """Return what a shard of so many points takes to answer.

        Between two measured sizes, and beyond them, it goes as a power of the number.
        """
        sizes, times = np.log(np.array(self.engine, float)).T
        if len(sizes) == 1:
            return float(np.exp(times[0]))
        power = (times[-1] - times[0]) / (sizes[-1] - sizes[0])
        at = np.log(max(points, 1.0))
        if at > sizes[-1]:
            return float(np.exp(times[-1] + power * (at - sizes[-1])))
        return float(np.exp(np.interp(at, sizes, times)))


def read(path: Path = SHIPPED) -> Measured:
    """Read the constants. Raises ValueError where the file holds something else."""
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        small, large = Photo(**told.pop("small")), Photo(**told.pop("large"))
        engine = tuple(sorted((float(n), float(ms)) for n, ms in told.pop("engine")))
        return Measured(**told, small=small, large=large, engine=engine)
    except (KeyError, TypeError, json.JSONDecodeError) as exc:
        raise ValueError(f"{path} holds no measured constants: {exc}") from exc
