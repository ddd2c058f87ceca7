"""The search pipeline, stage by stage: a question becomes candidates, proven, refined, judged,
and an answer."""

from __future__ import annotations

from dataclasses import dataclass

from common.catalogue import Catalogue, check_encoder
from common.contract.answers.searches import Findings, Searched
from common.jobs import Job
from common.settings import Settings
from worker.searching.answer import answer
from worker.searching.candidates import CandidateFinder
from worker.searching.describing import QueryDescriber
from worker.searching.detecting import ThingDetector
from worker.searching.embedding import QueryEmbedder
from worker.searching.judging import Judged, judged
from worker.searching.kinds import KindFinder
from worker.searching.loading import QueryLoader
from worker.searching.options import SearchOptions
from worker.searching.proving import Prover
from worker.searching.question import Question, Thing
from worker.searching.ranking import Ranker
from worker.searching.refining import Refiner
from worker.searching.stopwatch import Stopwatch


@dataclass(frozen=True)
class SearchPipeline:
    """The stages, in their order, with one encoder and one vector store."""

    loader: QueryLoader
    detector: ThingDetector
    embedder: QueryEmbedder
    describer: QueryDescriber
    finder: CandidateFinder
    prover: Prover
    refiner: Refiner
    kinds: KindFinder
    ranker: Ranker
    catalogue: Catalogue
    settings: Settings

    def run(self, job: Job) -> Findings:
        """Return what a search job found, as clients see it (URLs aside). Raises NeedleError."""
        options = SearchOptions.of(job, self.settings)
        bound = self.catalogue.collection(options.collection)
        check_encoder(bound, self.embedder.encoder.id)
        watch = Stopwatch(job.seen_at - job.created_at)
        question = self._question(options, watch)
        options = options.among(len(question.things))
        every = [self._search(thing, question.unlike, options, watch) for thing in question.things]
        ranked = self.ranker.ranked(every, options)
        searched = self._searched(options)
        return answer(ranked, every, watch.timings_ms(), searched, objects=options.order.detect)

    def _question(self, options: SearchOptions, watch: Stopwatch) -> Question:
        """Load, detect, embed and describe what is searched for."""
        query = self.loader.load(options)
        watch.lap("load")
        detected = self.detector.things(query, options)
        if options.order.detect and query.given:
            watch.lap("detect")
        embedded = self.embedder.embed(detected, options)
        watch.lap("encode")
        question = self.describer.describe(embedded, options)
        watch.lap("describe")
        return question

    def _search(
        self, thing: Thing, unlike: Thing | None, options: SearchOptions, watch: Stopwatch
    ) -> Judged:
        """Search for one thing: candidates, proven, refined, judged, and of the same kind."""
        nearest = self.finder.by_embedding(thing, unlike, options)
        watch.lap("search")
        candidates = self.finder.with_words(nearest, options)
        proven = self.prover.prove(candidates, options)
        watch.lap("verify")
        refined = self.refiner.refine(proven, options)
        watch.lap("zoom")
        images = judged(refined)
        if self.kinds.wanted(images, options):
            images = self.kinds.with_kind(images, options)
            watch.lap("kind")
        return images

    def _searched(self, options: SearchOptions) -> Searched:
        images = self.catalogue.count(options.collection)
        regions = self.finder.nearest.store.count(options.collection)
        return Searched(images=images, regions=regions)
