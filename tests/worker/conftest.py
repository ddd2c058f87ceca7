"""The worker's pipelines on a real Redis, real files and the real Qdrant Edge; fake models."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qdrant_client import QdrantClient

from common import pictures
from common.catalogue import ImageRecord
from common.contract.orders import IndexOrder, SearchOrder
from common.ids import image_id
from common.images import image_key, query_key
from common.jobs import Item, Job, Kind
from common.redis import Client
from common.settings import Settings
from common.vectors import filters
from tests.fakes import FixedDetector, PixelEncoder
from worker import context
from worker.context import Base
from worker.indexing.committing import Committer, Writer
from worker.indexing.confirming import Confirmer
from worker.indexing.describing import Describer
from worker.indexing.loading import Loader
from worker.indexing.pipeline import IndexPipeline
from worker.indexing.seeing import seer_of
from worker.local.match import NearestMatcher
from worker.local.vocabulary import Vocabulary
from worker.models.base import DenseEncoder, Detection, Detector, Encoder
from worker.searching.agreeing import Agreer
from worker.searching.candidates import CandidateFinder
from worker.searching.comparing import Comparer
from worker.searching.counting import Counter
from worker.searching.describing import QueryDescriber
from worker.searching.detecting import ThingDetector
from worker.searching.embedding import QueryEmbedder
from worker.searching.kinds import KindFinder
from worker.searching.loading import QueryLoader
from worker.searching.nearest import Nearest
from worker.searching.opening import Opener
from worker.searching.pipeline import SearchPipeline
from worker.searching.proving import Prover
from worker.searching.ranking import Ranker
from worker.searching.refining import Refiner
from worker.searching.verifying import Verifier
from worker.tasks import run_index, run_search
from worker.vectors.base import Region
from worker.vectors.server import Server

VOCABULARY = Vocabulary.load()


def noise(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Return an image of soft random colours; another seed is another image."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)


def png(image: Image.Image) -> bytes:
    """Return the image as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class World:
    """A worker of both roles, without Celery around it."""

    base: Base
    writer: Writer
    indexing: IndexPipeline
    searching: SearchPipeline

    def post(self, *images: bytes, job_id: str = "job", **details: Any) -> list[str]:
        """Do what web does with posted images; return their ids."""
        ids = []
        for content in images:
            name = image_id(content, "default")
            ids.append(name)
            try:
                header = pictures.inspect(content, max_pixels=10**8)
            except pictures.InvalidImage:
                header = pictures.Header("PNG", 1, 1)
            self.base.images.put(image_key("default", name), content)
            record = ImageRecord(
                name, "default", f"{name[:4]}.png", header.media_type, header.width, header.height,
                len(content), details.get("metadata") or {},
            )  # fmt: skip
            self.base.catalogue.add([record])
        items = [Item(n, f"{n}.png", name) for n, name in enumerate(ids)]
        self.base.jobs.create(job_id, Kind.INDEX, items, IndexOrder(**details).details())
        return ids

    def index(self, job_id: str = "job", count: int | None = None) -> Job:
        """Run the task of a job's only chunk."""
        total = count or self.base.jobs.get(job_id).total
        run_index(self.base, self.indexing, job_id, range(total))
        return self.base.jobs.get(job_id)

    def statuses(self, job_id: str = "job") -> list[str]:
        """Return how the items of a job stand."""
        return [item.status.value for item in self.base.jobs.items(job_id, offset=0, limit=99)]

    def regions(self, image_id: str, **metadata: str) -> list[Region]:
        """Return an image's regions, as they are indexed; those only that have the metadata."""
        dim = self.indexing.seer.encoder.dim
        vector = np.full(dim, dim**-0.5, np.float32)
        where = filters.parse(metadata)
        hits = self.writer.store.search(
            "default", vector, limit=10_000, image_id=image_id, where=where
        )
        return [hit.region for hit in hits]

    def search(
        self, query: Image.Image | None = None, job_id: str | None = None, **details: Any
    ) -> Job:
        """Run a search and return its job."""
        job_id = job_id or f"search-{np.random.default_rng().integers(10**9)}"
        if query is not None:
            self.base.images.put(query_key(job_id), png(query))
            details = {"files": 1, **details}
        order = SearchOrder(**details)
        self.base.jobs.create(job_id, Kind.SEARCH, [Item(0, "query")], order.details())
        run_search(self.base, self.searching, job_id)
        return self.base.jobs.get(job_id)

    def with_detections(self, *detections: Detection) -> World:
        """Return the same worker with a detector that finds these in every image."""
        return self.detecting_with(FixedDetector(detections))

    def verifying(self, most_images: int = 30, *, budget_s: float = 30) -> World:
        """Return the same worker, which verifies so many images within that time."""
        changes = {"verify_images": most_images, "verify_budget_ms": round(budget_s * 1000)}
        settings = self.searching.settings.model_copy(update=changes)
        return self.searching_with(settings=settings)

    def searching_with(self, **stages: Any) -> World:
        """Return the same worker with other stages of the search."""
        return replace(self, searching=replace(self.searching, **stages))

    def searching_by(self, encoder: Encoder) -> World:
        """Return the same worker with another encoder of the search role."""
        searching = self.searching
        nearest = replace(searching.finder.nearest, kind_dim=encoder.kind_dim)
        return self.searching_with(
            embedder=QueryEmbedder(encoder),
            finder=replace(searching.finder, nearest=nearest),
            prover=replace(searching.prover, nearest=nearest),
            refiner=replace(searching.refiner, nearest=nearest, encoder=encoder),
            kinds=KindFinder(nearest),
        )

    def detecting_queries_with(self, detector: Detector) -> World:
        """Return the same worker with a detector of the search role."""
        return self.searching_with(detector=ThingDetector(lambda: detector))

    def detecting_with(self, detector: Detector) -> World:
        """Return the same worker with another detector of the index role."""
        return self._seeing(self.indexing.seer.encoder, detector)

    def committing_with(self, committer: Committer) -> World:
        """Return the same worker with another last stage."""
        return replace(self, indexing=replace(self.indexing, committer=committer))

    def confirming_with(self, confirmer: Confirmer) -> World:
        """Return the same worker, which asks another whether images are there."""
        return replace(self, indexing=replace(self.indexing, confirmer=confirmer))

    def indexing_by(self, encoder: Encoder) -> World:
        """Return the same worker with another encoder of the index role; a dense one detects."""
        dense = isinstance(encoder, DenseEncoder)
        return self._seeing(encoder, None if dense else FixedDetector())

    def _seeing(self, encoder: Encoder, detector: Detector | None) -> World:
        seer = seer_of(encoder, detector, self.base.settings)
        return replace(self, indexing=replace(self.indexing, seer=seer))


@pytest.fixture(params=["edge", "local"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `world` stand on each form of Qdrant in turn; of the server its double in-process."""
    if request.param == "local":
        monkeypatch.setattr(context, "open_engine", lambda _: Server(QdrantClient(":memory:")))


@pytest.fixture
def world(tmp_path: Path, redis: Client, redis_url: str) -> Iterator[World]:
    """Return a worker with nothing indexed."""
    settings = Settings(
        data_dir=tmp_path, redis_url=redis_url, tile_scales="2", tile_overlap=0, tile_min_px=16,
        zoom_images=0, verify_images=0, verify_budget_ms=30_000,
    )  # fmt: skip
    base = Base.build(settings)
    writer = base.writer()
    encoder = PixelEncoder()
    indexing = IndexPipeline(
        loader=Loader(base.images, base.catalogue, base.jobs, base.fetcher, 10**8),
        describer=Describer(VOCABULARY),
        seer=seer_of(encoder, FixedDetector(), settings),
        committer=writer,
        confirmer=base.owner(writer),
        jobs=base.jobs,
        threads=2,
        most_bytes=settings.decoded_bytes,
    )
    nearest = Nearest(writer.store, encoder.kind_dim, 50_000)
    verifier = Verifier(VOCABULARY, NearestMatcher(), base.images)
    opener = Opener(base.images, 10**8)
    searching = SearchPipeline(
        loader=QueryLoader(base.images, base.catalogue, base.fetcher, 10**8),
        detector=ThingDetector(lambda: None),
        embedder=QueryEmbedder(encoder),
        describer=QueryDescriber(VOCABULARY),
        finder=CandidateFinder(nearest, writer.words, VOCABULARY),
        prover=Prover(nearest, verifier, Agreer(opener), Counter(verifier, opener)),
        refiner=Refiner(nearest, encoder, Comparer(base.images, 10**8), budget_s=30),
        kinds=KindFinder(nearest),
        ranker=Ranker(base.catalogue),
        catalogue=base.catalogue,
        settings=settings,
    )
    yield World(base, writer, indexing, searching)
    writer.store.close()
    writer.words.close()


def sent(redis: Client, queue: str) -> list[dict[str, Any]]:
    """Take the tasks off a queue and return their arguments, oldest first."""
    messages = [json.loads(text) for text in reversed(redis.lrange(queue, 0, -1))]
    redis.delete(queue)
    return [json.loads(base64.b64decode(message["body"]))[1] for message in messages]


def sources(hits: Sequence[dict[str, Any]]) -> list[str]:
    """Return the sources of a match's hits."""
    return [hit["source"] for hit in hits]
