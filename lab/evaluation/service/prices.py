"""The tables of a run of the service that are not about ranks: doubt, losses, time, cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.bootstrap import Estimate, mean_interval
from lab.evaluation.questions import BANDS, EVERY_SIZE
from lab.evaluation.report import SECOND
from lab.evaluation.service.losses import STEPS
from lab.evaluation.service.openset import (
    PRECISION,
    Calibration,
    Twice,
    calibration,
    recalls_at,
    said,
)
from lab.evaluation.service.pipelines import Cost
from lab.evaluation.service.plan import EXACT, TOGETHER
from lab.evaluation.service.sheets import Sheet, Value
from lab.evaluation.service.tables import NEEDLE, SEEN, Counted

PERCENTILES = (50, 95, 99)
BANDS_BOUGHT = {">= 4 %": (0.04, np.inf), **{name: BANDS[name] for name in list(BANDS)[2:]}}

Bools = NDArray[np.bool_]


def kinds(counted: Counted) -> dict[str, Bools]:
    """Return the kinds of questions that the open set is looked at by."""
    crops = counted.asked(EXACT) | counted.asked(TOGETHER)
    return {
        "all": np.ones(len(crops), bool),
        "exact crops": counted.asked(EXACT),
        "all together": counted.asked(TOGETHER),
        "crops >= 1 %": crops & counted.within(SEEN[">= 1 %"]),
        "second photographs": counted.asked(SECOND),
    }


def open_set(counted: Counted) -> Iterator[Sheet]:
    """Yield what a threshold could do, and what the service's own word and proof do."""
    if not counted.run.without:
        return
    bounds: list[tuple[Value, ...]] = []
    rules: list[tuple[Value, ...]] = []
    for name, chosen in kinds(counted).items():
        twice = counted.twice(chosen)
        if not len(twice):
            continue
        bounds.append((name, len(twice), *recalls_at(twice)))
        if twice.said is not None:
            rules.append((name, "found", len(twice), *said(twice, twice.said).values()))
        rules.append((name, "verified", len(twice), *_by_proof(counted, twice, chosen).values()))
    precise = f"is {PRECISION:.0%} precise"
    yield Sheet(
        "open set",
        "Open set: recall at a precision",
        "Each question twice: among all photos, and without those that are right. What the best "
        f"threshold on the {_scale(counted)} recalls while {PRECISION:.0%} of what is said is "
        "true: of what is there, 'found' with the right photo first; of what is not, 'not found'. "
        "A wrong photo is never right, however sure; 'not found' is wrong of whatever is there.",
        (
            *("asked", "of", f"found, where 'found' {precise}"),
            *(f"not found, where 'found' {precise}", f"not found, where 'not found' {precise}"),
        ),
        tuple(bounds),
    )
    yield Sheet(
        "open set, rules",
        "Open set: what the service says",
        "`found` is the service's own word, `verified` that of local features alone.",
        ("asked", "by", "of", *(f"{w}: {m}" for w in ("found", "not found") for m in _MEASURES)),
        tuple(rules),
    )


def probabilities(counted: Counted) -> Calibration | None:
    """Return how well the service's probabilities are calibrated; None where it gives none."""
    answers = [
        *(counted.run.answers[n] for n in counted.run.without),
        *counted.run.without.values(),
    ]
    right = [answer.right for answer in answers[: len(counted.run.without)]]
    right += [False] * len(counted.run.without)
    told = [(a.probability, good) for a, good in zip(answers, right, strict=True)]
    known = [(p, good) for p, good in told if p is not None]
    if not known:
        return None
    return calibration(np.array([p for p, _ in known]), np.array([good for _, good in known]))


def reliability(counted: Counted) -> Iterator[Sheet]:
    """Yield how often answers of about one probability were right."""
    found = probabilities(counted)
    if found is None:
        return
    lines = [(bin.probability, bin.right.of, bin.right) for bin in found.bins]
    yield Sheet(
        "reliability",
        "Reliability of the probability",
        "Answers of the open set by the probability that the service gave. Expected calibration "
        f"error {found.error:.3f}, Brier score {found.brier:.3f}.",
        ("probability", "of", "right"),
        tuple(lines),
    )


def losses(counted: Counted) -> Iterator[Sheet]:
    """Yield what is left after each step of a search, and where the rest went."""
    run = counted.run
    for what in (EXACT, TOGETHER):
        of_kind = counted.asked(what)[run.stepwise]
        if not of_kind.any():
            continue
        share = counted.share[run.stepwise]
        bands = {
            name: own
            for name, (low, high) in {**EVERY_SIZE, **BANDS}.items()
            if (own := of_kind & (low <= share) & (share < high)).any()
        }
        steps = run.steps[of_kind]
        blame, changes = steps.blame(), dict((step, rest) for step, *rest in steps.changes())
        lines: list[tuple[Value, ...]] = []
        for step in STEPS:
            lost, won = changes.get(step, (None, None))
            left = (mean_interval(run.steps[own].well[step]) for own in bands.values())
            lines.append((step, *left, lost, won, blame[step]))
        counts = (f"{name} (of {int(own.sum())})" for name, own in bands.items())
        yield Sheet(
            f"losses, {what}",
            f"Loss budget: {what}",
            "The share that has what it needs after each step, by size. Lost and won back: against "
            "the step before. Blamed: of those not first in the end, the first step that failed."
            + (" The collection is small enough to be searched exactly." * steps.engine_is_exact),
            ("step", *counts, "lost", "won back", "blamed"),
            tuple(lines),
        )


def times(counted: Counted) -> Iterator[Sheet]:
    """Yield how long whole searches took, and in which of their steps."""
    laps = [answer.timings_ms for answer in counted.run.answers]
    if not laps:
        return
    lines: list[tuple[Value, ...]] = []
    for name in laps[0]:
        spent = np.array([lap.get(name, np.nan) for lap in laps], float)
        ends = (float(np.nanpercentile(spent, at)) for at in PERCENTILES)
        lines.append((name, float(np.nanmean(spent)), *ends))
    complete = np.mean([answer.complete for answer in counted.run.answers])
    yield Sheet(
        "times",
        "Milliseconds of a search",
        f"As the service counts them, one search at a time; {complete:.1%} of the searches "
        "could verify all their candidates in time. The machine's load was "
        f"{counted.run.load:.1f} in the end.",
        ("step", "mean", *(f"p{at}" for at in PERCENTILES)),
        tuple(lines),
    )


def costs(counted: Counted) -> Iterator[Sheet]:
    """Yield what a photo costs beside the recall that it buys."""
    run, photos = counted.run, len(counted.run.plan.photos)
    mine = Cost(run.collection.regions, run.collection.spent.cpu_s, _kept(run.collection.bytes))
    lines: list[tuple[Value, ...]] = []
    for way, cost in {NEEDLE: mine, **run.costs}.items():
        bought = (_recall(counted, way, EXACT, limits) for limits in BANDS_BOUGHT.values())
        together = (_recall(counted, way, TOGETHER, limits) for limits in SEEN.values())
        spent = (cost.regions / photos, cost.cpu_s / photos, cost.bytes / photos / 1000)
        lines.append((way, *spent, *bought, *together, _recall(counted, way, SECOND, None)))
    yield Sheet(
        "cost",
        "Cost of a photo, and the recall@1 that it buys",
        "Seconds are those of processors, of all the service's processes together; reading the "
        "photo does not count for the references. Kilobytes on disk, the photo itself left out; "
        "of the references, their embeddings alone.",
        (
            *("by", "regions", "CPU s", "kB"),
            *(f"{EXACT}, {band}" for band in BANDS_BOUGHT),
            *(f"{TOGETHER}, {band}" for band in SEEN),
            SECOND,
        ),
        tuple(lines),
    )
    stored = run.collection.bytes
    yield Sheet(
        "bytes",
        "Bytes of a photo on disk",
        "What the service keeps, on average.",
        ("kept", "bytes a photo"),
        tuple((kind, size / photos) for kind, size in stored.items()),
    )


_MEASURES = ("precision", "recall")


def _scale(counted: Counted) -> str:
    known = any(answer.probability is not None for answer in counted.run.answers)
    return "service's probability" if known else "top match's score and evidence"


def _by_proof(counted: Counted, twice: Twice, chosen: Bools) -> dict[str, Estimate]:
    run = counted.run
    places = [n for n in sorted(run.without) if chosen[n]]
    proof = [(run.answers[n].verified, run.without[n].verified) for n in places]
    return said(twice, np.array(proof, bool))


def _recall(counted: Counted, way: str, what: str, limits: tuple[float, float] | None) -> Estimate:
    return mean_interval(counted.ways[way][counted.asked(what, limits)].recall(1))


def _kept(stored: Mapping[str, int]) -> float:
    return float(sum(size for kind, size in stored.items() if kind != "photos as posted"))
