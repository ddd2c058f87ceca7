"""A search: the query's embedding, the nearest regions, the best photos."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from common import pictures
from common.catalogue import Catalogue, ImageRecord, check_encoder
from common.errors import NotFound
from common.fetch import Fetcher
from common.geometry import Box
from common.images import ImageStore, photo_key, query_key
from common.jobs import Job
from common.vectors import filters
from common.vectors.aggregate import Aggregate
from common.vectors.base import Hit, Vector, VectorStore
from common.vectors.grouping import Grouping, Match, best_images
from worker.models.base import Encoder
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
        points = self.store.count(collection)
        asked, photos = _grouping(details), self._photos_to_zoom(query, details)
        matches = self._search(collection, vector, details, asked.at_least(photos), points)
        watch.lap("search")
        if query is not None and photos:
            aspect = query.width / query.height
            matches = self.zoom.refine(collection, matches, vector, aspect, photos)
        matches = asked.trimmed(matches)
        watch.lap("zoom")
        records = self.catalogue.find(collection, [match.image_id for match in matches])
        return {
            "matches": [
                _match(match, records[match.image_id])
                for match in matches
                if match.image_id in records
            ],
            "timings_ms": watch.total(queued_ms),
            "index": {"images": self.catalogue.count(collection), "regions": points},
        }

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

    def _search(
        self,
        collection: str,
        vector: Vector,
        details: Mapping[str, Any],
        grouping: Grouping,
        points: int,
    ) -> list[Match]:
        where = filters.from_json(details["filter"])

        def fetch(limit: int, image_id: str | None = None) -> list[Hit]:
            return self.store.search(
                collection,
                vector,
                limit=limit,
                where=where,
                image_id=image_id,
                exact=points < self.exact_below,
            )

        return best_images(fetch, grouping)


def _grouping(details: Mapping[str, Any]) -> Grouping:
    return Grouping(
        limit=details["limit"],
        hits_per_image=details["hits_per_image"],
        min_score=details["min_score"],
        aggregate=Aggregate(details["aggregate"]),
    )


def _match(match: Match, record: ImageRecord) -> dict[str, Any]:
    return {
        "image_id": match.image_id,
        "score": round(match.score, 6),
        "distance": round(1 - match.score, 6),
        "filename": record.filename,
        "width": record.width,
        "height": record.height,
        "metadata": dict(record.metadata),
        "hits": [
            {
                "box": hit.region.box.as_list(),
                "score": round(hit.score, 6),
                "source": hit.region.source.value,
                "label": hit.region.label,
                "confidence": hit.region.confidence,
            }
            for hit in match.hits
        ],
    }
