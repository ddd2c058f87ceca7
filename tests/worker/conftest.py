"""The worker's pipelines on a real Redis, real files and the real Qdrant Edge; fake models."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from common import pictures
from common.catalogue import ImageRecord
from common.contract.orders import IndexOrder, SearchOrder
from common.ids import image_id
from common.images import photo_key, query_key
from common.jobs import Item, Job, Kind
from common.redis import Client
from common.settings import Settings
from tests.fakes import FixedDetector, PixelEncoder
from worker.commit import Writer
from worker.context import Base
from worker.describe import Describer
from worker.finder import Finder
from worker.index import Indexer
from worker.loading import Loader
from worker.local.match import NearestMatcher
from worker.local.vocabulary import Vocabulary
from worker.models.base import Detection, Detector
from worker.proposer import Proposer
from worker.question import Asker
from worker.search import Searcher
from worker.tasks import _index, _search
from worker.verify import Verifier
from worker.zoom import Zoom

VOCABULARY = Vocabulary.load()


def noise(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Return a photo of soft random colours; another seed is another photo."""
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
    indexer: Indexer
    searcher: Searcher

    def post(self, *photos: bytes, job_id: str = "job", **details: Any) -> list[str]:
        """Do what web does with posted photos; return their ids."""
        ids = []
        for content in photos:
            name = image_id(content, "default")
            ids.append(name)
            try:
                header = pictures.inspect(content, max_pixels=10**8)
            except pictures.InvalidImage:
                header = pictures.Header("PNG", 1, 1)
            self.base.images.put(photo_key("default", name), content)
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
        _index(self.base, self.indexer, job_id, range(total))
        return self.base.jobs.get(job_id)

    def statuses(self, job_id: str = "job") -> list[str]:
        """Return how the items of a job stand."""
        return [item.status.value for item in self.base.jobs.items(job_id, offset=0, limit=99)]

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
        _search(self.base, self.searcher, job_id)
        return self.base.jobs.get(job_id)

    def with_detections(self, *detections: Detection) -> World:
        """Return the same worker with a detector that finds these in every photo."""
        return self.detecting_with(FixedDetector(detections))

    def verifying(self, **changes: Any) -> World:
        """Return the same worker with another verifier."""
        verifier = replace(self.searcher.finder.verifier, **changes)
        finder = replace(self.searcher.finder, verifier=verifier)
        asker = replace(self.searcher.asker, verifier=verifier)
        return replace(self, searcher=replace(self.searcher, asker=asker, finder=finder))

    def detecting_with(self, detector: Detector) -> World:
        """Return the same worker with another detector."""
        proposer = replace(self.indexer.proposer, detector=detector)
        return replace(self, indexer=replace(self.indexer, proposer=proposer))


@pytest.fixture
def world(tmp_path: Path, redis: Client, redis_url: str) -> Iterator[World]:
    """Return a worker with nothing indexed."""
    settings = Settings(
        data_dir=tmp_path, redis_url=redis_url, tile_scales="2", tile_overlap=0, tile_min_px=16
    )
    base = Base.build(settings)
    writer = base.writer()
    encoder = PixelEncoder()
    indexer = Indexer(
        proposer=Proposer(FixedDetector(), settings),
        encoder=encoder,
        loader=Loader(base.images, base.catalogue, base.fetcher, 10**8),
        committer=writer,
        jobs=base.jobs,
        describer=Describer(VOCABULARY, base.images),
    )
    verifier = Verifier(VOCABULARY, NearestMatcher(), base.images, writer.words, 0, 30)
    searcher = Searcher(
        Asker(encoder, base.images, base.catalogue, base.fetcher, 10**8, verifier, lambda: None),
        Finder(
            writer.store,
            encoder.kind_dim,
            50_000,
            Zoom(encoder, base.images, 10**8, budget_s=30),
            0,
            verifier,
        ),
        base.catalogue,
    )
    yield World(base, writer, indexer, searcher)
    writer.store.close()
    writer.words.close()


def sources(hits: Sequence[dict[str, Any]]) -> list[str]:
    """Return the sources of a match's hits."""
    return [hit["source"] for hit in hits]
