"""The search pipeline, stage by stage: a question becomes candidates, proven, refined, judged,
and an answer."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from common.catalogue import Catalogue, check_encoder
from common.contract.answers.searches import Findings, Searched
from common.jobs import Job
from common.log import with_context
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
from worker.searching.question import Question
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
        return self.find(SearchOptions.of(job, self.settings), job.seen_at - job.created_at)

    def find(self, options: SearchOptions, waited_s: float = 0.0) -> Findings:
        """Return what a search found that has waited so long for its turn. Raises NeedleError."""
        bound = self.catalogue.collection(options.collection)
        check_encoder(bound, self.embedder.encoder.id)
        watch = Stopwatch(waited_s)
        question = self._question(options, watch)
        options = options.among(len(question.things))
        with ThreadPoolExecutor(1) as aside:
            # Keypoints are found while the encoder and the vector store are asked.
            described = aside.submit(with_context(self.describer.describe), question, options)
            embedded = self.embedder.embed(question, options)
            watch.lap("encode")
            every = [
                self._search(number, embedded, described, options, watch)
                for number in range(len(embedded.things))
            ]
        ranked = self.ranker.ranked(every, options)
        searched = self._searched(options)
        return answer(ranked, every, watch.timings_ms(), searched, objects=options.order.detect)

    def _question(self, options: SearchOptions, watch: Stopwatch) -> Question:
        """Load what is searched for, and detect its things."""
        query = self.loader.load(options)
        watch.lap("load")
        question = self.detector.things(query, options)
        if options.order.detect and query.given:
            watch.lap("detect")
        return question

    def _search(
        self,
        number: int,
        embedded: Question,
        described: Future[Question],
        options: SearchOptions,
        watch: Stopwatch,
    ) -> Judged:
        """Search for one thing: candidates, proven, refined, judged, and of the same kind."""
        thing = embedded.things[number]
        nearest = self.finder.by_embedding(thing, embedded.unlike, options)
        watch.lap("search")
        nearest = nearest.described(described.result(), number)
        watch.lap("describe")
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
