"""How long each step of a search took."""

from __future__ import annotations

import time

from common import tracing


class Stopwatch:
    """Milliseconds of each step, for the result. It starts when it is made."""

    def __init__(self, queued_s: float) -> None:
        """Note for how many seconds the job has waited; less than 0 where a clock was set back."""
        self._queued_ms = max(0.0, queued_s * 1000)
        self._started = self._last = time.monotonic()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Book the time since the last lap under `name`, beside what is booked there."""
        now = time.monotonic()
        tracing.past(name, now - self._last)
        self._laps[name] = round(self._laps.get(name, 0.0) + (now - self._last) * 1000, 2)
        self._last = now

    def timings_ms(self) -> dict[str, float]:
        """Return the time on the queue, every lap, and the sum."""
        total = (self._last - self._started) * 1000 + self._queued_ms
        return {"queued": round(self._queued_ms, 2), **self._laps, "total": round(total, 2)}
