"""What a running service does under so many clients: what the simulation is held against."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from needle import Needle
from needle.errors import NeedleClientError


@dataclass
class Load:
    """Answers of `clients` that ask one search after the other, over `span_s` seconds."""

    clients: int
    span_s: float
    seconds: list[float] = field(default_factory=list)
    refused: int = 0

    def row(self) -> dict[str, float]:
        """Return clients, answers a second, median and 95th percentile (ms), and refusals."""
        p50, p95 = np.percentile(self.seconds, (50, 95)) * 1000 if self.seconds else (0.0, 0.0)
        return {
            "clients": self.clients,
            "per_s": len(self.seconds) / self.span_s,
            "p50_ms": float(p50),
            "p95_ms": float(p95),
            "refused": self.refused,
        }


def ask(url: str, collection: str, pictures: Sequence[bytes], clients: int, span_s: float) -> Load:
    """Have so many clients search for the pictures in turn."""
    load, lock, end = Load(clients, span_s), threading.Lock(), time.monotonic() + span_s

    def one(first: int) -> None:
        with Needle(url) as needle:
            for number in range(first, 1_000_000, clients):
                started = time.monotonic()
                if started >= end:
                    return
                try:
                    needle.search(pictures[number % len(pictures)], collection=collection)
                except NeedleClientError:
                    with lock:
                        load.refused += 1
                    time.sleep(1)
                    continue
                ended = time.monotonic()
                if ended < end:
                    with lock:
                        load.seconds.append(ended - started)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load
