"""Fitting how sure finds are: weights that were put in come out, questions left out judge."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lab.evaluation.service.certainty import Seen, fit, gathered, judged_apart, probabilities, run
from worker.searching.certainty import Signs


def made(weights: list[float], count: int = 4000) -> Seen:
    """Answers of one sign, right as often as the weights say."""
    rng = np.random.default_rng(1)
    signs = rng.uniform(0, 1, (count, 1))
    right = rng.uniform(0, 1, count) < probabilities(signs, np.array(weights))
    return Seen(signs, right, np.arange(count) // 2)


def test_the_weights_that_made_the_answers_come_out() -> None:
    assert fit(made([-4.0, 8.0])) == pytest.approx([-4.0, 8.0], rel=0.1)


def test_signs_that_tell_nothing_do_not_help_where_they_were_not_fitted() -> None:
    seen = made([-4.0, 8.0])
    noise = np.random.default_rng(2).permutation(seen.signs)
    blind = Seen(noise, seen.right, seen.question)
    error = [((judged_apart(s) - s.right) ** 2).mean() for s in (seen, blind)]
    assert error[0] < 0.7 * error[1]


def test_answers_without_a_doubt_give_finite_weights() -> None:
    seen = Seen(np.array([[0.0], [1.0]]), np.array([False, True]), np.array([0, 1]))
    assert np.isfinite(fit(seen)).all()


def test_a_run_is_read_and_fitted_with_and_without_evidence(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    rng = np.random.default_rng(3)
    lines = []
    for n in range(40):
        for asked, there in (("among all", True), ("without the right ones", False)):
            lines.append(
                {
                    "what": "exact",
                    "group": "x",
                    "right": [f"{n}.jpg"],
                    "box": None,
                    "asked": asked,
                    "rank": 1 if there else 11,
                    "rise": (0.7 if there else 0.3) + rng.normal(0, 0.03),
                    "evidence": (30.0 if there else 4.0) if n % 2 else None,
                    "part": 0.5 if n % 2 else None,
                    "part_agreement": 0.5 if n % 2 else None,
                }
            )
    lines.append({**lines[0], "asked": "by embeddings alone"})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    written = io.StringIO()
    run([path], Console(file=written, width=200))
    assert written.getvalue().count("40 answers, 20 right") == 2
    assert "found: precision: 1.000" in written.getvalue()
    assert gathered([{"rise": 0.5, "evidence": 9.0, "rank": 1, "question": 0}]).signs.shape == (
        1,
        len(Signs.VERIFIED),
    )


def test_a_run_without_an_open_set_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("")
    with pytest.raises(FileNotFoundError):
        run([path], Console(file=io.StringIO()))
