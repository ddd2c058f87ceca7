"""Everything that a run of the service found out, before it is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.evaluation.report import nulled
from lab.evaluation.retrieval import Outcomes
from lab.evaluation.service.ask import LIMIT, Answer
from lab.evaluation.service.index import Collection
from lab.evaluation.service.large import Large
from lab.evaluation.service.losses import Steps
from lab.evaluation.service.pipelines import Cost
from lab.evaluation.service.plan import Plan


@dataclass(frozen=True)
class Measured:
    """Everything that a run found out, before it is counted.

    `answers` are those of all questions, in order; `without` and `grouped` those of some, by their
    place: asked without the right photos, and by embeddings alone. `references` are the outcomes
    of the simpler pipelines for all questions. `steps` is of the `stepwise` questions. `large` is
    of large photos, where there are any.
    """

    name: str
    plan: Plan
    collection: Collection
    answers: list[Answer]
    without: dict[int, Answer]
    grouped: dict[int, Answer]
    references: dict[str, Outcomes]
    costs: dict[str, Cost]
    steps: Steps
    models: dict[str, Any]
    load: float
    large: Large | None = None

    @property
    def leaked(self) -> int:
        """How many answers named a photo that the filter should have left out."""
        return sum(answer.rank <= LIMIT for answer in self.without.values())

    @property
    def stepwise(self) -> list[int]:
        """The places of the questions that were followed through the steps."""
        return [n for n, question in enumerate(self.plan.questions) if question.stepwise]


def write_answers(measured: Measured, path: Path) -> None:
    """Write every answer as a line of JSON, so that anyone can count them another way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as lines:
        for facts in _facts(measured):
            lines.write(json.dumps(nulled(facts)) + "\n")


def _facts(measured: Measured) -> Iterator[dict[str, Any]]:
    ways = {
        "among all": dict(enumerate(measured.answers)),
        "without the right ones": measured.without,
        "by embeddings alone": measured.grouped,
    }
    for n, question in enumerate(measured.plan.questions):
        asked = {
            "what": question.what,
            "group": question.group,
            "right": [measured.plan.photos[number].path.name for number in question.right],
            "box": question.box.box.corners if question.box else None,
            "share": question.box.share if question.box else None,
        }
        for way, answers in ways.items():
            if n in answers:
                yield {**asked, "asked": way, **asdict(answers[n])}
    for window in measured.large.windows if measured.large else ():
        yield {
            "what": window.what,
            "right": [window.photo],
            "side_px": window.side_px,
            "asked": "among the large photos",
            **asdict(window.answer),
        }
