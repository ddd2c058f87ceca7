"""Everything that one run of the bench found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lab.bench.figures import BASELINE, HTTP, Ratio, Run, Spent, as_json, ratio, ratios, summed
from lab.bench.hardware import Machine


@dataclass(frozen=True)
class Staged:
    """What the stages of one way took, the rest and the whole among them, over `photos`."""

    way: str
    size: str
    profile: str | None
    photos: int
    laps: Mapping[str, Spent]
    forward_passes: int | None = None


@dataclass(frozen=True)
class Measured:
    """`searches` are milliseconds, by who answered and what else went on.

    `turns` are those of a baseline and of Needle over HTTP on the same photos, empty without one.
    """

    machine: Machine
    cap: str
    models: Mapping[str, Any]
    runs: Sequence[Run]
    staged: Sequence[Staged]
    searches: Mapping[str, Sequence[float]]
    bytes: Mapping[str, float]
    regions: float
    peaks_mib: Mapping[str, float]
    turns: Sequence[Run] = field(default_factory=tuple)
    baseline: str | None = None

    def ratios(self) -> list[Ratio]:
        """Return every ratio: to the plain pipeline, to the limit, to the baseline."""
        found = ratios(self.runs)
        for size in dict.fromkeys(run.size for run in self.turns):
            mine, theirs = (
                summed([run for run in self.turns if run.way == way and run.size == size])
                for way in (HTTP, BASELINE)
            )
            found.append(ratio(mine, theirs))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON carries it."""
        return {
            "command": "bench",
            "machine": asdict(self.machine),
            "cap": self.cap,
            "models": dict(self.models),
            "runs": [as_json(run) for run in self.runs],
            "ratios": [asdict(found) for found in self.ratios()],
            "stages": [asdict(found) for found in self.staged],
            "search_ms": {name: list(spent) for name, spent in self.searches.items()},
            "bytes_a_photo": dict(self.bytes),
            "regions_a_photo": self.regions,
            "peaks_mib": dict(self.peaks_mib),
            "turns": [as_json(run) for run in self.turns],
            "baseline": self.baseline,
        }
