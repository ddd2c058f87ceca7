"""Who asks: clients that send one search after the other, or searches that come at a rate.

A rate is kept whatever the answers are (an open loop), as many independent people would: a search
is timed from when it was due, so that a driver that falls behind hides nothing.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from lab.load.figures import ANSWERED, Asked

WAIT_S = 60
MOST_AT_ONCE = 400
"""Searches of an open loop that may be under way; more would be the driver's own queue."""
ASK_AGAIN_S = 0.25
UNFINISHED = 202
_TIMEOUT_S = WAIT_S + 30.0

Ask = Callable[[float], Asked]
"""(when it was due, by the monotonic clock) -> how a search was answered."""


class Asker:
    """Searches for one crop after the other in a collection, without trying again."""

    def __init__(self, base_url: str, queries: Sequence[bytes], collection: str) -> None:
        limits = httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE)
        self._client = httpx.Client(base_url=base_url, timeout=_TIMEOUT_S, limits=limits)
        self._queries = itertools.cycle(queries)
        self._lock = threading.Lock()
        self._data = {"collection": collection, "wait": str(WAIT_S)}

    def __call__(self, due: float) -> Asked:
        """Ask once. A search that is not answered counts with the status 0."""
        with self._lock:
            query = next(self._queries)
        retry_s = 0.0
        try:
            answer = self._client.post(
                "/api/v1/search", data=self._data, files={"file": ("query.png", query)}
            )
            status = answer.status_code
            retry_s = float(answer.headers.get("Retry-After", 0))
            if status == UNFINISHED:
                status = self._followed(str(answer.json()["job_id"]), due + WAIT_S)
        except httpx.HTTPError:
            status = 0
        return Asked(due, time.monotonic(), status, retry_s)

    def _followed(self, job_id: str, until: float) -> int:
        """Ask for a job until it has ended, as clients do: only so many answers are held back."""
        while time.monotonic() < until:
            job = self._client.get(f"/api/v1/jobs/{job_id}", params={"wait": 20}).json()
            if job.get("finished_at"):
                return ANSWERED if job["status"] == "succeeded" else 500
            time.sleep(ASK_AGAIN_S)
        return UNFINISHED

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


def closed(ask: Ask, clients: int, seconds: float) -> list[Asked]:
    """Have so many clients ask, each when it was answered; one that is refused waits as it is told.

    Returns what was answered, in no order; the last answers come after `seconds`.
    """
    end = time.monotonic() + seconds
    found: list[Asked] = []

    def client() -> None:
        while (now := time.monotonic()) < end:
            asked = ask(now)
            found.append(asked)
            if asked.refused:
                time.sleep(min(asked.retry_s or 1.0, max(0.0, end - time.monotonic())))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def at_rate(ask: Ask, per_s: float, seconds: float) -> list[Asked]:
    """Ask so often a second, evenly, whatever the answers are. Returns as `closed` does."""
    began = time.monotonic()
    dues = [began + number / per_s for number in range(round(per_s * seconds))]
    with ThreadPoolExecutor(min(MOST_AT_ONCE, max(1, len(dues)))) as pool:
        under_way = []
        for due in dues:
            time.sleep(max(0.0, due - time.monotonic()))
            under_way.append(pool.submit(ask, due))
        return [future.result() for future in under_way]
