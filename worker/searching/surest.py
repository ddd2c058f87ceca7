"""How sure a search is of what it has looked at so far."""

from __future__ import annotations

from collections.abc import Sequence

from worker.local.placement import Placement

BEYOND_DOUBT = 40.0
"""Evidence of the thing itself: photos of look-alikes seldom come to that."""
MOST_THREADS = 4
"""Images that are looked at together at most."""


class Surest:
    """How sure the images were of the thing that have been looked at, in their order."""

    def __init__(self) -> None:
        self._so_far: list[float] = []

    def note(self, places: Sequence[Placement]) -> None:
        """Count the places of one more image, surest first."""
        own = places[0].evidence if places else 0.0
        self._so_far.append(max(own, *self._so_far[-1:], 0.0))

    def beyond_doubt(self, number: int | None = None) -> bool:
        """Tell whether the thing was found beyond doubt; before the image of that number is begun.

        Images that may be looked at ahead of it do not count: on any machine it is the same.
        """
        counted = self._so_far if number is None else self._so_far[: max(0, number - MOST_THREADS)]
        return bool(counted) and counted[-1] >= BEYOND_DOUBT
