"""`certainty`: fits how sure a find is to the answers of a run of `service`.

The open set asks for everything twice, once where it is not there. What the service saw of each
first photo stands in `answers.jsonl`; two logistic models weigh it, as `worker.certainty` has them.
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

from evaluation.service.openset import calibration
from worker.certainty import Signs

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
    for name, own in {
        "unverified": [a for a in answers if a["evidence"] is None],
        "verified": [a for a in answers if a["evidence"] is not None],
    }.items():
        seen = gathered(own)
        weights = fit(seen)
        console.print(f"{name}: {np.round(weights, 2).tolist()} of 1, {', '.join(Signs.NAMES)}")
        left_out = calibration(judged_apart(seen), seen.right)
        console.print(
            f"  {len(own)} answers, {int(seen.right.sum())} right; left out in turn: calibration "
            f"error {left_out.error:.3f}, Brier score {left_out.brier:.3f}"
        )


def gathered(answers: Sequence[dict[str, Any]]) -> Seen:
    """Return the answers as arrays."""
    signs = [Signs.of(a["rise"], a["evidence"], a["coverage"]).values() for a in answers]
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
    """Yield the answers of the open set: the questions that were asked both ways."""
    asked: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        answer = json.loads(line)
        if answer["asked"] in ASKED and answer.get("rise") is not None:
            key = json.dumps([answer["what"], answer["group"], answer["right"], answer["box"]])
            asked.setdefault(key, []).append(answer)
    for number, both in enumerate(asked.values()):
        if {answer["asked"] for answer in both} == set(ASKED):
            yield from ({**answer, "question": number} for answer in both)
