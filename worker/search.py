"""A search: what is asked, found thing by thing, put together into one answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.catalogue import Catalogue, check_encoder
from common.contract import orders
from common.contract.answers import Findings
from common.contract.orders import SearchOrder
from common.jobs import Job
from worker.answer import match_json, thing_json
from worker.finder import Finder, Options
from worker.found import Found
from worker.question import Asker
from worker.together import together
from worker.verify import Verification


@dataclass
class Stopwatch:
    """Milliseconds of each step, for the result."""

    started: float

    def __post_init__(self) -> None:
        self._last = self.started
        self.timings: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Book the time since the last lap under `name`, beside what is booked there."""
        now = time.monotonic()
        self.timings[name] = round(self.timings.get(name, 0.0) + (now - self._last) * 1000, 2)
        self._last = now

    def total(self, queued_ms: float) -> dict[str, float]:
        """Return every lap, and the sum with the time spent waiting on the queue."""
        total = (self._last - self.started) * 1000 + queued_ms
        return {"queued": round(queued_ms, 2), **self.timings, "total": round(total, 2)}


@dataclass(frozen=True)
class Searcher:
    """Answers searches with one encoder and one vector store."""

    asker: Asker
    finder: Finder
    catalogue: Catalogue

    def run(self, job: Job) -> Findings:
        """Return what a search job found. Raises NeedleError."""
        order = orders.of(job, SearchOrder)
        collection = order.collection
        check_encoder(self.catalogue.collection(collection), self.asker.encoder.id)
        watch = Stopwatch(time.monotonic())
        queued_ms = max(0.0, (time.time() - job.created_at) * 1000)
        question = self.asker.ask(job.job_id, order, watch.lap)
        options = Options.of(order, len(question.things))
        found: list[list[Found]] = []
        proofs: list[Verification] = []
        for thing in question.things:
            photos, proof = self.finder.find(thing, question.unlike, options, watch.lap)
            found.append(photos)
            proofs.append(proof)
        holding = together(found)[: options.grouping.limit]
        records = self.catalogue.find(collection, [photo.image_id for photo in holding])
        holding = [photo for photo in holding if photo.image_id in records]
        most = options.grouping.hits_per_image
        several = order.detect
        result: dict[str, Any] = {
            "found": any(photo.likely for photo in holding),
            "probability": round(max((p.probability for p in holding), default=0.0), 4),
            "matches": [
                match_json(photo, records[photo.image_id], most, numbered=several)
                for photo in holding
            ],
            "verification": Verification.summed(proofs),
            "timings_ms": watch.total(queued_ms),
            "index": {
                "images": self.catalogue.count(collection),
                "regions": self.finder.store.count(collection),
            },
        }
        if several:
            result["objects"] = [
                thing_json(thing, _surest(photos))
                for thing, photos in zip(question.things, found, strict=True)
            ]
        return Findings.model_validate(result)


def _surest(found: Sequence[Found]) -> float:
    return max((photo.probability for photo in found), default=0.0)
