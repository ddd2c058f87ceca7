"""`certainty`: fits how sure a find is to the answers of a run of `service`.

The open set asks for everything twice, once where it is not there. What the service saw of each
first photo stands in `answers.jsonl`; two logistic models weigh it, as
`worker.searching.certainty` has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from lab.evaluation.report import cell
from lab.evaluation.service.openset import Twice, calibration, recalls_at, said
from worker.searching.certainty import LIKELY, Signs

ASKED = ("among all", "without the right ones")
PARTS = 5
"""Parts of the questions, of which each is judged by a fit to the others."""
RIDGE = 1e-2
"""Keeps the weights finite where the right and the wrong can be told apart without a doubt."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What was seen of n first photos, (n, signs), whether each was right, and its question."""

    signs: Floats
    right: NDArray[np.bool_]
    question: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> Seen:
        """Return the chosen ones."""
        return Seen(self.signs[chosen], self.right[chosen], self.question[chosen])


def run(paths: Sequence[Path], console: Console) -> None:
    """Fit both models, and show their weights and how well they do on questions left out."""
    answers = [answer for path in paths for answer in _read(path)]
    if not answers:
        raise FileNotFoundError("None of the files holds answers of an open set")
    chance = np.empty(len(answers))
    proven = np.array([answer["evidence"] is not None for answer in answers])
    models = (("unverified", ~proven, Signs.UNVERIFIED), ("verified", proven, Signs.VERIFIED))
    for name, own, signs in models:
        seen = gathered([answers[n] for n in np.flatnonzero(own)])
        chance[own] = judged_apart(seen)
        console.print(f"{name}: {np.round(fit(seen), 2).tolist()} of 1, {', '.join(signs)}")
        console.print(f"  {own.sum()} answers, {seen.right.sum()} right", highlight=False)
    console.print("Every question by a fit to the others:")
    for what, value in judged(answers, chance).items():
        console.print(f"  {what}: {value}", highlight=False)


def judged(answers: Sequence[dict[str, Any]], chance: Floats) -> dict[str, str]:
    """Return what saying `found` from `LIKELY` on is worth, given each answer's probability.

    The two answers of a question stand side by side.
    """
    right = np.array([answer["rank"] == 1 for answer in answers])
    twice = Twice(chance.reshape(-1, 2), right.reshape(-1, 2))
    fitted = calibration(chance, right)
    precise = recalls_at(twice)
    return {
        **{what: cell(share) for what, share in said(twice, twice.confidence >= LIKELY).items()},
        "found, where 'found' is 90% precise": cell(precise[0]),
        "not found, by that same threshold": cell(precise[1]),
        "calibration error, Brier score": f"{fitted.error:.3f}, {fitted.brier:.3f}",
    }


def gathered(answers: Sequence[dict[str, Any]]) -> Seen:
    """Return the answers as arrays."""
    signs = [
        Signs.of(a["rise"], a["evidence"], a.get("part"), a.get("part_agreement")).values()
        for a in answers
    ]
    return Seen(
        np.array(signs, np.float64).reshape(len(answers), -1),
        np.array([a["rank"] == 1 for a in answers], bool),
        np.array([a["question"] for a in answers], np.int64),
    )


def fit(seen: Seen, rounds: int = 50) -> Floats:
    """Return the weights of 1 and of each sign: logistic regression, by Newton's method."""
    rows = np.hstack([np.ones((len(seen.signs), 1)), seen.signs])
    weights = np.zeros(rows.shape[1])
    for _ in range(rounds):
        chance = probabilities(seen.signs, weights)
        slope = rows.T @ (seen.right - chance) - RIDGE * weights
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + RIDGE * np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    return weights


def judged_apart(seen: Seen) -> Floats:
    """Return each answer's probability by a fit to the other parts of the questions."""
    found = np.empty(len(seen.right))
    for part in range(PARTS):
        own = seen.question % PARTS == part
        found[own] = probabilities(seen.signs[own], fit(seen.where(~own)))
    return found


def probabilities(signs: Floats, weights: Floats) -> Floats:
    """Return (n,) probabilities of (n, signs)."""
    chance: Floats = 1 / (1 + np.exp(-np.clip(weights[0] + signs @ weights[1:], -30, 30)))
    return chance


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the answers of the open set: of each question that was asked both ways, these two.

    A question's answers stand one after another, that among all photos first.
    """
    first: dict[str, Any] = {}
    number = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        answer = json.loads(line)
        if answer["asked"] == ASKED[0]:
            first = answer
        elif answer["asked"] == ASKED[1] and None not in (answer["rise"], first["rise"]):
            yield from ({**one, "question": number} for one in (first, answer))
            number += 1
