"""How many images go through the networks together."""

from __future__ import annotations

PART_S = 10.0
"""What goes through together should take no longer: nothing of it is committed before its end."""


class Pace:
    """Learns from what took how long, for each profile: from one image on, at most doubling."""

    def __init__(self) -> None:
        self._most: dict[str, int] = {}

    def most(self, profile: str) -> int:
        """Return how many images to take together."""
        return self._most.get(profile, 1)

    def note(self, profile: str, images: int, seconds: float) -> None:
        """Take note that so many images took so long together."""
        fit = int(PART_S * images / max(seconds, 1e-6))
        self._most[profile] = max(1, min(fit, 2 * images))
