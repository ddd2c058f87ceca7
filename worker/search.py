"""A search: nearest regions and shared words, the best photos, and their proof."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from common import pictures
from common.catalogue import Catalogue, check_encoder
from common.errors import NotFound
from common.fetch import Fetcher
from common.geometry import Box
from common.images import ImageStore, photo_key, query_key
from common.jobs import Job
from common.vectors import filters
from common.vectors.aggregate import Aggregate
from common.vectors.base import Hit, Vector, VectorStore
from common.vectors.grouping import Fetch, Grouping, Match, best_images, best_of_image
from worker.answer import match_json
from worker.models.base import Encoder
from worker.verify import Queries, Verification, Verifier, fused, standing
from worker.zoom import Zoom

log = logging.getLogger(__name__)


@dataclass
class Stopwatch:
    """Milliseconds of each step, for the result."""

    started: float

    def __post_init__(self) -> None:
        self._last = self.started
        self.timings: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Book the time since the last lap under `name`."""
        now = time.monotonic()
        self.timings[name] = round((now - self._last) * 1000, 2)
        self._last = now

    def total(self, queued_ms: float) -> dict[str, float]:
        """Return every lap, and the sum with the time spent waiting on the queue."""
        total = (self._last - self.started) * 1000 + queued_ms
        return {"queued": round(queued_ms, 2), **self.timings, "total": round(total, 2)}


@dataclass(frozen=True)
class Searcher:
    """Answers searches with one encoder and one vector store."""

    encoder: Encoder
    store: VectorStore
    images: ImageStore
    catalogue: Catalogue
    fetcher: Fetcher
    max_pixels: int
    exact_below: int
    zoom: Zoom
    zoom_images: int
    verifier: Verifier

    def run(self, job: Job) -> dict[str, Any]:
        """Return a search job's result, as clients see it (URLs aside). Raises NeedleError."""
        details = job.details
        collection: str = details["collection"]
        check_encoder(self.catalogue.collection(collection), self.encoder.id)
        watch = Stopwatch(time.monotonic())
        queued_ms = max(0.0, (time.time() - job.created_at) * 1000)
        query = self._query_image(job.job_id, details)
        watch.lap("load")
        vector = self._embed(query, details)
        watch.lap("encode")
        queries = self._describe(query, details)
        watch.lap("describe")
        points = self.store.count(collection)
        asked, photos = _grouping(details), self._photos_to_zoom(query, details)
        fetch = self._fetch(collection, vector, details, exact=points < self.exact_below)
        wide = self.verifier.most_images if queries else photos
        matches = best_images(fetch, asked.at_least(wide))
        watch.lap("search")
        proof = Verification()
        if queries is not None:
            matches, proof = self._verified(collection, matches, queries, details, fetch)
        watch.lap("verify")
        # Fitting boxes by the encoder is for what has no texture to verify.
        if query is not None and photos and not proof.places:
            aspect = query.width / query.height
            matches = self.zoom.refine(collection, matches, vector, aspect, photos)
        matches = asked.trimmed(matches)
        watch.lap("zoom")
        records = self.catalogue.find(collection, [match.image_id for match in matches])
        return {
            "matches": [
                match_json(
                    match,
                    records[match.image_id],
                    proof.places.get(match.image_id, ()),
                    asked.hits_per_image,
                )
                for match in matches
                if match.image_id in records
            ],
            "verification": proof.as_dict(),
            "timings_ms": watch.total(queued_ms),
            "index": {"images": self.catalogue.count(collection), "regions": points},
        }

    def _describe(self, query: Image.Image | None, details: Mapping[str, Any]) -> Queries | None:
        """Return the query's local features; None for a text, or where nothing is verified."""
        asked: bool | None = details.get("verify")
        plain = query is None or details["aggregate"] != Aggregate.MAX.value
        if query is None or plain or asked is False or not self.verifier.most_images:
            return None
        return self.verifier.describe(query)

    def _verified(
        self,
        collection: str,
        matches: Sequence[Match],
        queries: Queries,
        details: Mapping[str, Any],
        fetch: Fetch,
    ) -> tuple[list[Match], Verification]:
        """Return the matches of both channels in their order after verifying, and the proof."""
        where = filters.from_json(details["filter"])
        by_words = self.verifier.candidates(collection, queries, where)
        budget_ms: int | None = details.get("verify_budget_ms")
        proof = self.verifier.verify(
            collection,
            queries,
            fused([match.image_id for match in matches], by_words),
            places=details["hits_per_image"],
            budget_s=None if budget_ms is None else budget_ms / 1000,
        )
        known = {match.image_id for match in matches}
        grouping = _grouping(details)
        new = (best_of_image(name, fetch, grouping) for name in proof.places if name not in known)
        every = [*matches, *(match for match in new if match is not None)]
        every.sort(key=lambda m: (-standing(m.score, proof.places, m.image_id), m.image_id))
        return every, proof

    def _embed(self, query: Image.Image | None, details: Mapping[str, Any]) -> Vector:
        """Return the query's embedding, float32 (dim,)."""
        if query is None:
            vector: Vector = self.encoder.encode_texts([details["text"]])[0]
        else:
            vector = self.encoder.encode_images([query])[0]
        return vector

    def _query_image(self, job_id: str, details: Mapping[str, Any]) -> Image.Image | None:
        """Return what is searched for, cut to the request's box; None for a text."""
        if details.get("text") is not None:
            return None
        image = pictures.decode(self._query_bytes(job_id, details), max_pixels=self.max_pixels)
        return pictures.crop(image, Box(*details["box"])) if details.get("box") else image

    def _query_bytes(self, job_id: str, details: Mapping[str, Any]) -> bytes:
        if details.get("url"):
            return self.fetcher.fetch(details["url"])
        if details.get("image_id"):
            record = self.catalogue.get(details["collection"], details["image_id"])
            return self.images.open(photo_key(record.collection, record.image_id))
        try:
            return self.images.open(query_key(job_id))
        except NotFound as exc:
            raise NotFound("The query's image is no longer there; post it again.") from exc

    def _photos_to_zoom(self, query: Image.Image | None, details: Mapping[str, Any]) -> int:
        """Return how many photos get a closer look; texts and other aggregates than `max` none."""
        if query is None or details["aggregate"] != Aggregate.MAX.value:
            return 0
        asked: int | None = details.get("zoom")
        return self.zoom_images if asked is None else asked

    def _fetch(
        self, collection: str, vector: Vector, details: Mapping[str, Any], *, exact: bool
    ) -> Fetch:
        """Return what asks the vector store for the points nearest to the query."""
        where = filters.from_json(details["filter"])

        def fetch(limit: int, image_id: str | None = None) -> list[Hit]:
            return self.store.search(
                collection, vector, limit=limit, where=where, image_id=image_id, exact=exact
            )

        return fetch


def _grouping(details: Mapping[str, Any]) -> Grouping:
    return Grouping(
        limit=details["limit"],
        hits_per_image=details["hits_per_image"],
        min_score=details["min_score"],
        aggregate=Aggregate(details["aggregate"]),
    )
