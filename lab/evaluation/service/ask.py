"""Questions to the running service, over HTTP, and its answers, judged."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.evaluation.boxes import iou
from lab.evaluation.photos import Corners
from lab.evaluation.retrieval import Outcomes
from lab.evaluation.service.index import Collection
from lab.evaluation.service.plan import FOLDS, Question
from needle import Needle
from needle.results import Match, SearchResult

LIMIT = 10
"""Photos that a search returns: a right one beyond them counts as not found."""
SURE = 12.0
"""Evidence that counts as much as a score of 1, as the service orders its matches."""


@dataclass(frozen=True)
class Answer:
    """What one search answered, judged.

    `rank` is the place of the first right photo, from 1, or `LIMIT` + 1. `iou_right` is between
    the question's box and the right photo's first hit, `iou_top` the same for the top hit, 0 in a
    wrong photo; NaN where no box is known. `verified`, `source` and `confidence` are those of the
    top match, as are `rise`, `evidence`, `part` and `part_agreement`, which its probability comes
    from, `coverage` and `agreement`.
    `confidence` is the service's `probability` (0..1) where it gives one, else score and evidence
    together; `found` is what the service says itself, None where it says nothing.
    """

    rank: int
    iou_right: float
    iou_top: float
    verified: bool
    source: str
    confidence: float
    probability: float | None
    found: bool | None
    rise: float | None
    evidence: float | None
    coverage: float | None
    agreement: float | None
    part: float | None
    part_agreement: float | None
    complete: bool
    timings_ms: Mapping[str, float]

    @property
    def right(self) -> bool:
        """Tell whether the first photo is a right one."""
        return self.rank == 1


@dataclass(frozen=True)
class Asker:
    """Asks one service about one collection; `budget_ms` bounds verifying, None: its default."""

    needle: Needle
    collection: Collection
    budget_ms: int | None = None

    def ask(self, question: Question, picture: bytes) -> Answer:
        """Search as everybody does."""
        return self._judged(question, self._search(picture, verify_budget_ms=self.budget_ms))

    def ask_without(self, question: Question, picture: bytes) -> Answer:
        """Search where the photos that are right do not count: nothing there is to be found."""
        folds = {self.collection.folds[n] for n in question.right}
        rest = [fold for fold in range(FOLDS) if fold not in folds]
        where = {"fold": rest or [FOLDS]}  # no fold is left: a filter that nothing passes
        result = self._search(picture, filter=where, verify_budget_ms=self.budget_ms)
        return self._judged(question, result)

    def ask_index(self, question: Question, picture: bytes) -> Answer:
        """Search by embeddings alone: neither verified nor looked at more closely."""
        return self._judged(question, self._search(picture, verify=False, zoom=0))

    def _search(self, picture: bytes, **options: Any) -> SearchResult:
        return self.needle.search(picture, limit=LIMIT, collection=self.collection.name, **options)

    def _judged(self, question: Question, result: SearchResult) -> Answer:
        corners = None if question.box is None else question.box.box.corners
        return judged(result, {self.collection.ids[n] for n in question.right}, corners)


def judged(result: SearchResult, right: Some[str], corners: Corners | None) -> Answer:
    """Return the answer of a search, given the ids of the right photos and the box in them."""
    places = [n for n, match in enumerate(result.matches) if match.image_id in right]
    rank = places[0] + 1 if places else LIMIT + 1
    overlap = np.nan
    if corners is not None:
        overlap = _overlap(result.matches[places[0]], corners) if places else 0.0
    best = result.best
    proof = best.hits[0] if best and best.verified and best.hits else None
    probability = _probability(result)
    return Answer(
        rank=rank,
        iou_right=overlap,
        iou_top=overlap if rank == 1 or corners is None else 0.0,
        verified=best is not None and best.verified,
        source=best.hits[0].source if best and best.hits else "",
        confidence=_standing(best) if probability is None else probability,
        probability=probability,
        found=result.raw.get("found"),
        rise=best.rise if best else None,
        evidence=proof.evidence if proof else None,
        coverage=proof.coverage if proof else None,
        agreement=proof.agreement if proof else None,
        part=proof.part if proof else None,
        part_agreement=proof.part_agreement if proof else None,
        complete=bool(result.verification.get("complete", True)),
        timings_ms=result.timings_ms,
    )


def outcomes(answers: Sequence[Answer]) -> Outcomes:
    """Return the answers in the form that every search is counted in.

    Average precision is not known: a search returns only its best photos.
    """
    return Outcomes(
        np.array([answer.rank for answer in answers], np.int64),
        np.full(len(answers), np.nan),
        np.array([answer.iou_right for answer in answers], np.float64),
        np.array([answer.iou_top for answer in answers], np.float64),
    )


def _overlap(match: Match, corners: Corners) -> float:
    return float(iou(match.hits[0].box, corners)[0, 0]) if match.hits else 0.0


def _probability(result: SearchResult) -> float | None:
    """Return how probable the service finds it that its best photo is right."""
    if result.raw.get("probability") is not None:
        return float(result.raw["probability"])
    for match in result.raw.get("matches") or ():
        value = match.get("probability")
        return None if value is None else float(value)
    return None


def _standing(best: Match | None) -> float:
    """Return what stands for a probability where there is none: score and evidence together."""
    if best is None:
        return -1.0
    evidence = best.hits[0].evidence if best.hits else None
    return best.score + min(evidence or 0.0, SURE) / SURE
