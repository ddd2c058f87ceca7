"""A run of the service that never was: answers made up, so that what is counted is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lab.evaluation.photos import LabelledBox, Photo, Query
from lab.evaluation.retrieval import Outcomes
from lab.evaluation.service.ask import LIMIT, Answer
from lab.evaluation.service.index import Collection, Spent
from lab.evaluation.service.large import WHATS, Large, Window
from lab.evaluation.service.losses import STEPS, Steps
from lab.evaluation.service.measured import Measured
from lab.evaluation.service.pipelines import GRID, ONE, PLAIN, Cost
from lab.evaluation.service.plan import Plan, make_plan
from needle.results import SearchResult

SIDE = 1000
SIDES = (500, 300, 150, 70, 40)
"""Of the boxes of a photo: one of each band of sizes."""


def photos(count: int) -> list[Photo]:
    """Photos of 1000 x 1000 with a box of each band of sizes, that are nowhere on disk."""
    boxes = tuple(LabelledBox((10.0, 10.0, 10.0 + s, 10.0 + s), f"of {s}") for s in SIDES)
    return [Photo(Path(f"{n:03}.jpg"), "made", SIDE, SIDE, boxes) for n in range(count)]


def seconds(count: int) -> list[Query]:
    """A second photograph of each of the first photos."""
    return [
        Query(Path(f"again-{n}.jpg"), "made", f"group {n % 2}", frozenset({f"{n:03}.jpg"}))
        for n in range(count)
    ]


def answer(*, right: bool, probability: float | None = None, verified: bool = False) -> Answer:
    """An answer of which only that matters."""
    return Answer(
        rank=1 if right else LIMIT + 1,
        iou_right=0.9 if right else 0.0,
        iou_top=0.9 if right else 0.0,
        verified=verified,
        source="local" if verified else "tile",
        confidence=0.5 if probability is None else probability,
        probability=probability,
        found=None if probability is None else probability > 0.5,
        rise=0.5,
        evidence=20.0 if verified else None,
        coverage=0.6 if verified else None,
        agreement=0.9 if verified else None,
        part=0.9 if verified else None,
        part_agreement=0.9 if verified else None,
        complete=True,
        timings_ms={"encode": 5.0, "total": 100.0},
    )


def result(*ids: str, **more: object) -> SearchResult:
    """A search's result with a match of each id, the boxes 10 px to the right of each other."""
    matches = [
        {
            "image_id": name,
            "score": 0.9 - 0.1 * n,
            "hits": [{"box": [10 * n, 0, 10 * n + 100, 100], "score": 0.9 - 0.1 * n}],
        }
        for n, name in enumerate(ids)
    ]
    raw = {"matches": matches, "timings_ms": {"total": 9.0}, **more}
    from needle.jobs import Job

    return SearchResult.from_job(Job("j", "search", "succeeded", result=raw))


def measured(*, probabilities: bool = True) -> Measured:
    """A run over eight photos: large crops are found and verified, the smallest never."""
    plan = make_plan(photos(8), seconds(4), None)
    good = [q.box is None or q.box.share > 0.0025 for q in plan.questions]
    sure, doubt = (0.95, 0.1) if probabilities else (None, None)
    stepwise = [n for n, q in enumerate(plan.questions) if q.stepwise]
    steps = {step: np.array([good[n] for n in stepwise], bool) for step in STEPS}
    return Measured(
        name="made-up",
        plan=plan,
        collection=collection(plan),
        answers=[answer(right=g, verified=g, probability=sure if g else doubt) for g in good],
        without={
            n: answer(right=False, probability=doubt)
            for n, question in enumerate(plan.questions)
            if question.open_set
        },
        grouped={n: answer(right=good[n]) for n in stepwise},
        references={way: _never(plan) for way in (PLAIN, ONE, GRID)},
        costs={way: Cost(80.0, 4.0, 4096.0) for way in (PLAIN, ONE, GRID)},
        steps=Steps(steps, engine_is_exact=True),
        models={"name": "made-up", "detector": "d", "encoder": "e"},
        load=0.5,
        large=large(),
    )


def large() -> Large:
    """Windows of two sides in large photos: the larger ones are found."""
    windows = [
        Window(side, what, "huge.jpg", answer(right=side > 100, probability=side / 1000))
        for what in WHATS
        for side in (80, 80, 900)
    ]
    return Large(collection(make_plan(photos(2), (), None)), tuple(windows))


def collection(plan: Plan) -> Collection:
    """A collection of the plan's photos; each one's fold is its number."""
    ids = tuple(f"id-{n}" for n in range(len(plan.photos)))
    kept = {"photos as posted": 8000, "embeddings and payloads": 16000}
    return Collection("made", ids, tuple(range(len(ids))), Spent(len(ids)), (), kept, 640)


def _never(plan: Plan) -> Outcomes:
    count = len(plan.questions)
    overlap = np.array([np.nan if q.box is None else 0.0 for q in plan.questions])
    return Outcomes(np.full(count, 9), np.zeros(count), overlap, overlap)


def patches(seed: int, width: int = 90, height: int = 70) -> Image.Image:
    """Return a picture of soft patches; another seed is another one."""
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 256, (7, 9, 3), np.uint8))
    return noise.resize((width, height), Image.Resampling.BICUBIC)
