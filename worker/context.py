"""What a worker's tasks work with, built once a process."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from common.cores import cores
from common.pace import AT_ONCE
from common.services import Services
from common.settings import Settings
from worker.attempts import Attempts
from worker.fetch import Fetcher
from worker.indexing.committing import Committer, Writer
from worker.indexing.confirming import Asker, Confirmer, Owner
from worker.indexing.describing import Describer
from worker.indexing.handover import Forwarder
from worker.indexing.loading import Loader
from worker.indexing.means import Costs, Means
from worker.indexing.pipeline import IndexPipeline
from worker.indexing.presence import Presence
from worker.indexing.profiles import PROFILES
from worker.indexing.seeing import Seer, seer_of
from worker.local.match import NearestMatcher
from worker.local.vocabulary import Vocabulary
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
from worker.vectors.opening import open_engine
from worker.vectors.stores import VectorStore, WordStore

if TYPE_CHECKING:
    from worker.models.packs import LoadedPack

log = logging.getLogger(__name__)

MOST_LOADING = 6
"""Threads that decode and describe images: each takes some 110 MB besides the pixels."""
MOST_SEARCHES = 4
"""Searches at once of a worker that nobody has told how many."""

INDEX_ROLE, SEARCH_ROLE = "index", "search"
ANSWER_TIMEOUT_S = 10.0
"""Workers have patience with Redis: nobody waits at the other end of a connection."""


@dataclass(frozen=True)
class Base(Services):
    """What both roles have: the stores that need no model."""

    attempts: Attempts
    fetcher: Fetcher

    @classmethod
    def build(cls, settings: Settings, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> Base:
        """Connect everything; nothing is sent yet."""
        shared = Services.build(settings, answer_timeout_s=answer_timeout_s)
        return cls(
            **vars(shared),
            attempts=Attempts(shared.redis, ttl_s=settings.job_ttl_s),
            fetcher=Fetcher(
                timeout_s=settings.url_timeout_s,
                max_bytes=settings.max_file_bytes,
                allowed_hosts=settings.allowed_hosts,
                buckets=shared.sources,
            ),
        )

    def writer(self) -> Writer:
        """Open the vectors and return what writes batches to them. Raises StoreUnavailable."""
        engine = open_engine(self.settings)
        return Writer(
            VectorStore(engine), WordStore(engine), self.images, self.catalogue, self.jobs
        )

    def owner(self, writer: Writer) -> Owner:
        """Return what looks whether images are there, in the vectors that the writer has open."""
        presence = Presence(writer.store, writer.words)
        return Owner(presence, self.catalogue, self.jobs, self.queue)


def build_indexing(base: Base) -> IndexPipeline:
    """Load the models of the index role and light its beacon. Raises NeedleError."""
    from worker.models.packs import load_pack

    settings = base.settings
    pack = load_pack(settings)
    vocabulary = Vocabulary.load()
    # Qdrant Edge belongs to the search worker; a server takes points from everyone.
    committer: Committer = Forwarder(base.images, base.queue)
    confirmer: Confirmer = Asker(base.queue)
    if settings.qdrant_url:
        committer = writer = base.writer()
        confirmer = base.owner(writer)
    seer = _seer(base, pack)
    return IndexPipeline(
        loader=Loader(
            base.images, base.catalogue, base.jobs, base.fetcher, settings.max_image_pixels
        ),
        describer=Describer(vocabulary),
        seer=seer,
        committer=committer,
        confirmer=confirmer,
        jobs=base.jobs,
        threads=settings.threads or min(cores(), MOST_LOADING),
        most_bytes=settings.decoded_bytes,
    )


def _seer(base: Base, pack: LoadedPack) -> Seer:
    """Time the networks, say what that means for images, and light the beacon of the index role."""
    settings = base.settings
    costs = Costs.measured(pack.encoder, pack.detector)
    before = Means.told(base.beacons.models(), pack.describe())
    means = Means.of(settings.seconds_per_image, costs, before)
    seer = seer_of(pack.encoder, pack.detector, settings, means)
    regions = {name: seer.profile(name).budget for name in PROFILES}
    seconds = {name: round(seer.seconds(name, costs), 3) for name in PROFILES}
    for name, profile in PROFILES.items():
        fewer = f", not {profile.budget}: more would take too long" * (
            regions[name] < profile.budget and settings.regions_per_image is None
        )
        log.info(
            "%s: at most %d regions an image%s; the networks take about %.2f s",
            name, regions[name], fewer, seconds[name],
        )  # fmt: skip
    more = {
        "means": means.as_dict(),
        "profile": settings.profile,
        "regions_per_image": regions,
        "seconds_per_image": seconds,
    }
    base.beacons.light(INDEX_ROLE, {**pack.describe(), **more})
    return seer


def searches_at_once(settings: Settings) -> int:
    """Return how many searches a worker runs at once.

    More than there are cores only wait for each other: on two, four at once answered a tenth fewer
    a second than two.
    """
    return settings.search_threads or min(max(cores(), 2), MOST_SEARCHES)


def build_searching(base: Base, writer: Writer) -> SearchPipeline:
    """Load the models of the search role and light its beacon. Raises NeedleError."""
    from worker.models.packs import load_detector, load_pack

    settings = base.settings
    encoder = (pack := load_pack(settings, with_detector=False)).encoder
    # The first forward pass of each size is slow: not at a client's cost.
    for batch in (1, settings.encoder_batch_size):
        encoder.encode_images([Image.new("RGB", (64, 64))] * batch)
    more = {AT_ONCE: searches_at_once(settings)}
    base.beacons.light(SEARCH_ROLE, {**pack.describe(), **more})
    vocabulary = Vocabulary.load()
    nearest = Nearest(writer.store, encoder.kind_dim, settings.exact_below)
    most_pixels = settings.max_image_pixels
    verifier = Verifier(vocabulary, NearestMatcher(), base.images)
    opener = Opener(base.images, most_pixels)
    return SearchPipeline(
        loader=QueryLoader(base.images, base.catalogue, base.fetcher, most_pixels),
        detector=ThingDetector(load_detector=lambda: load_detector(settings, encoder)),
        embedder=QueryEmbedder(encoder),
        describer=QueryDescriber(vocabulary),
        finder=CandidateFinder(nearest, writer.words, vocabulary),
        prover=Prover(nearest, verifier, Agreer(opener), Counter(verifier, opener)),
        refiner=Refiner(
            nearest,
            encoder,
            Comparer(base.images, most_pixels),
            budget_s=settings.zoom_budget_ms / 1000,
        ),
        kinds=KindFinder(nearest),
        ranker=Ranker(base.catalogue),
        catalogue=base.catalogue,
        settings=settings,
    )
