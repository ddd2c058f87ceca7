"""Going through the photos and the questions once: the service is asked, the references look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from common.settings import Settings
from lab.evaluation.embedder import Embedder
from lab.evaluation.perturb import png
from lab.evaluation.photos import read_pixels
from lab.evaluation.retrieval import Truth
from lab.evaluation.service.ask import Answer, Asker
from lab.evaluation.service.index import Collection
from lab.evaluation.service.pipelines import Pipeline, pipelines
from lab.evaluation.service.plan import Plan, Question
from worker.indexing.profiles import profile_of
from worker.models.base import DenseEncoder, Detector, Embeddings
from worker.models.dense import MapsDetector
from worker.models.kinds import query_vectors
from worker.models.packs import LoadedPack

_ENCODER = "encoder"


class Asking:
    """Goes through the photos once: the references take each, and its questions are asked."""

    def __init__(
        self,
        plan: Plan,
        asker: Asker,
        loaded: LoadedPack,
        settings: Settings,
        *,
        references: bool = True,
    ) -> None:
        """`references`: simpler pipelines take each photo too, which takes most of the time."""
        self.answers: dict[int, Answer] = {}
        self.without: dict[int, Answer] = {}
        self.grouped: dict[int, Answer] = {}
        self.references: dict[str, Pipeline] = {}
        if references:
            found = finder(loaded, settings)
            self.references |= pipelines(loaded.encoder, found, settings.confidence_threshold)
        self._plan, self._asker = plan, asker
        self._encoder = loaded.encoder
        self._embedder = Embedder({_ENCODER: loaded.encoder})
        self._order: list[int] = []

    def run(self, console: Console) -> None:
        """Ask everything."""
        of_photo: dict[int, list[int]] = defaultdict(list)
        for n, question in enumerate(self._plan.questions):
            if question.box is not None:
                of_photo[question.box.photo].append(n)
        with Progress(console=console) as progress:
            bar = progress.add_task("asking", total=len(self._plan.questions))
            for number, photo in enumerate(self._plan.photos):
                image = read_pixels(photo.path)
                for pipeline in self.references.values():
                    pipeline.add(image)
                for n in of_photo[number]:
                    picture = self._plan.questions[n].picture(image)
                    self._ask(n, picture, png(picture))
                    progress.advance(bar)
            for n, question in enumerate(self._plan.questions):
                if question.query is not None:
                    path = question.query.path
                    self._ask(n, read_pixels(path), path.read_bytes())
                    progress.advance(bar)

    def vectors(self) -> Embeddings:
        """Return what the questions' pictures are compared as, in their order, (n, dim)."""
        every = self._embedder.embeddings(_ENCODER)
        return query_vectors(every[np.argsort(self._order)], self._encoder.kind_dim)

    def _ask(self, n: int, picture: Image.Image, content: bytes) -> None:
        question = self._plan.questions[n]
        self._embedder.add(picture)
        self._order.append(n)
        self.answers[n] = self._asker.ask(question, content)
        if question.open_set:
            self.without[n] = self._asker.ask_without(question, content)
        if question.stepwise:
            self.grouped[n] = self._asker.ask_index(question, content)


def finder(loaded: LoadedPack, settings: Settings) -> Detector | None:
    """Return what finds things for the pack: its detector, or the maps of a dense encoder."""
    if loaded.detector is None and isinstance(loaded.encoder, DenseEncoder):
        profile = profile_of(settings.profile, settings, detects=True)
        return MapsDetector(loaded.encoder, profile.pixels)
    return loaded.detector


def truths(questions: Sequence[Question], collection: Collection) -> list[Truth]:
    """Return what is right for each question; a photo that is there twice is right twice."""
    twins: dict[str, set[int]] = defaultdict(set)
    for number, image_id in enumerate(collection.ids):
        twins[image_id].add(number)
    return [
        Truth(
            frozenset(twin for n in question.right for twin in twins[collection.ids[n]]),
            box=None if question.box is None else question.box.box.corners,
        )
        for question in questions
    ]
