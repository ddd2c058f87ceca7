"""The tables of a run of the service: what was found, where, how sure, and at what price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.bootstrap import Estimate, difference_interval, mean_interval
from lab.evaluation.perturb import PERTURBATIONS
from lab.evaluation.questions import BANDS, EVERY_SIZE
from lab.evaluation.report import SAME_BOX, SECOND
from lab.evaluation.retrieval import Outcomes
from lab.evaluation.service.ask import outcomes
from lab.evaluation.service.large import WHATS
from lab.evaluation.service.measured import Measured
from lab.evaluation.service.openset import Twice
from lab.evaluation.service.plan import EXACT, TOGETHER
from lab.evaluation.service.sheets import Sheet, Value

NEEDLE = "Needle"
SIZES = {**BANDS, **EVERY_SIZE}
SEEN = {">= 1 %": (0.01, np.inf)}
"""Sizes at which the issue's figures are asked for."""
OVERLAPS = (0.5, 0.75, 0.9)

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Counted:
    """A run with its answers as arrays, one value a question, in the order of the questions."""

    run: Measured

    @cached_property
    def ways(self) -> dict[str, Outcomes]:
        """What every way of searching found, the service first."""
        return {NEEDLE: outcomes(self.run.answers), **self.run.references}

    @cached_property
    def share(self) -> NDArray[np.float64]:
        """The share of the photo's area that each question's box takes, NaN without a box."""
        boxes = [question.box for question in self.run.plan.questions]
        return np.array([np.nan if box is None else box.share for box in boxes], np.float64)

    @cached_property
    def verified(self) -> Bools:
        """Tell of each question whether the top match was verified."""
        return np.array([answer.verified for answer in self.run.answers], bool)

    def asked(self, what: str, band: tuple[float, float] | None = None) -> Bools:
        """Tell which questions are of that kind and, if a band is given, of that size."""
        of_kind = np.array([question.what == what for question in self.run.plan.questions], bool)
        return of_kind if band is None else of_kind & self.within(band)

    def within(self, band: tuple[float, float]) -> Bools:
        """Tell which questions' boxes are of that size."""
        low, high = band
        return np.array((low <= self.share) & (self.share < high), bool)

    def grouped(self, group: str) -> Bools:
        """Tell which second photographs are of that group; '' for all of them."""
        questions = self.run.plan.questions
        named = np.array([group in ("", q.group) for q in questions], bool)
        return np.array(self.asked(SECOND) & named, bool)

    def twice(self, chosen: Bools) -> Twice:
        """Return the chosen questions of the open set, asked both ways."""
        pairs = [(self.run.answers[n], self.run.without[n]) for n in sorted(self.run.without)]
        kept = [pair for n, pair in zip(sorted(self.run.without), pairs, strict=True) if chosen[n]]
        told = all(answer.found is not None for pair in kept for answer in pair)
        return Twice(
            np.array([[a.confidence for a in pair] for pair in kept], float).reshape(-1, 2),
            np.array([(pair[0].right, False) for pair in kept], bool).reshape(-1, 2),
            np.array([[bool(a.found) for a in pair] for pair in kept], bool).reshape(-1, 2)
            if told and kept
            else None,
        )


def curves(counted: Counted) -> Iterator[Sheet]:
    """Yield the needle curve: exact crops, and under everything together."""
    for what in (EXACT, TOGETHER):
        if not counted.asked(what).any():
            continue
        lines: list[tuple[Value, ...]] = [
            (band, way, int(chosen.sum()), *_figures(found[chosen]))
            for band, limits in SIZES.items()
            if (chosen := counted.asked(what, limits)).any()
            for way, found in counted.ways.items()
        ]
        yield Sheet(
            f"needle curve, {what}",
            f"Needle curve: {what}{' crops' if what == EXACT else ''}",
            "Crops by the share of the photo's area that they take: is their photo first, among "
            "the first five, and does the first hit's box overlap theirs?",
            ("share of the photo", "by", "of", *_FIGURES),
            tuple(lines),
        )


def sides(counted: Counted) -> Iterator[Sheet]:
    """Yield what is found of large photos, by pixels of the side."""
    large = counted.run.large
    if large is None or not large.windows:
        return
    lines: list[tuple[Value, ...]] = []
    for what in WHATS:
        own = [window for window in large.windows if window.what == what]
        for side in (*sorted({window.side_px for window in own}), None):
            answers = [w.answer for w in own if side in (None, w.side_px)]
            found = outcomes(answers)
            sure = [answer.right and bool(answer.found) for answer in answers]
            lines.append(
                (
                    what,
                    "all" if side is None else side,
                    len(answers),
                    mean_interval(found.recall(1)),
                    mean_interval(found.iou_top >= SAME_BOX),
                    mean_interval(np.array(sure, bool)),
                )
            )
    photos, regions = large.collection.photos, large.collection.regions
    yield Sheet(
        "large photos",
        "Windows of large photos, by pixels of the side",
        f"Among {photos} photos, large and small ({regions} regions): is the window's photo "
        "first, does the first hit's box overlap the window, and is the photo first and `found`? "
        "Altered: mirrored, brighter, at four fifths of the size, JPEG 50.",
        ("asked", "side, px", "of", "recall@1", f"top hit IoU >= {SAME_BOX}", "first and found"),
        tuple(lines),
    )


def gains(counted: Counted) -> Iterator[Sheet]:
    """Yield how much more often the service is right than each reference, in pairs."""
    others = list(counted.run.references)
    mine = counted.ways[NEEDLE]
    kinds: dict[str, Bools] = {
        "exact crops": counted.asked(EXACT),
        "all together": counted.asked(TOGETHER),
        "second photographs": counted.asked(SECOND),
    }
    lines: list[tuple[Value, ...]] = []
    for name, chosen in kinds.items():
        if chosen.any():
            pairs = (
                difference_interval(mine[chosen].recall(1), counted.ways[way][chosen].recall(1))
                for way in others
            )
            lines.append((name, int(chosen.sum()), *pairs))
    if others and lines:
        yield Sheet(
            "gain",
            "Needle's recall@1 less that of each reference",
            "Question by question: an interval above 0 is no accident of which were asked.",
            ("asked", "of", *others),
            tuple(lines),
        )


def perturbations(counted: Counted) -> Iterator[Sheet]:
    """Yield recall under each perturbation, of all sizes and of those that can be seen."""
    sampled = _sampled(counted)
    for name, limits in {**EVERY_SIZE, **SEEN}.items():
        lines: list[tuple[Value, ...]] = []
        for what in PERTURBATIONS:
            chosen = counted.asked(what, limits) & sampled
            if chosen.any():
                own = counted.ways[NEEDLE][chosen]
                others = (
                    mean_interval(found[chosen].recall(1))
                    for way, found in counted.ways.items()
                    if way != NEEDLE
                )
                proof = mean_interval((counted.verified[chosen]) & own.recall(1))
                lines.append((what, int(chosen.sum()), *_figures(own), proof, *others))
        if lines:
            size = "all sizes" if name in EVERY_SIZE else f"{name} of the photo"
            yield Sheet(
                f"perturbations, {size}",
                f"Perturbations, {size}",
                "The same crops under each perturbation. Verified: first, and found again by "
                "local features. The last columns are recall@1 of the references.",
                ("perturbation", "of", *_FIGURES, "verified", *counted.run.references),
                tuple(lines),
            )


def seconds(counted: Counted) -> Iterator[Sheet]:
    """Yield recall of second photographs, by the groups that the data names."""
    questions = counted.run.plan.questions
    groups = sorted({question.group for question in questions if question.what == SECOND})
    lines: list[tuple[Value, ...]] = []
    for group in [*groups, ""] if len(groups) > 1 else groups:
        chosen = counted.grouped(group)
        own = counted.ways[NEEDLE][chosen]
        others = (
            mean_interval(found[chosen].recall(1))
            for way, found in counted.ways.items()
            if way != NEEDLE
        )
        proof = mean_interval(counted.verified[chosen] & own.recall(1))
        figures = (mean_interval(own.recall(1)), mean_interval(own.recall(5)), proof)
        lines.append((group or "all", int(chosen.sum()), *figures, *others))
    if lines:
        yield Sheet(
            "second photographs",
            "Second photographs",
            "Another photograph of the same thing; right is every photo that shows it. The last "
            "columns are recall@1 of the references.",
            ("group", "of", "recall@1", "recall@5", "verified", *counted.run.references),
            tuple(lines),
        )


def localisation(counted: Counted) -> Iterator[Sheet]:
    """Yield how well the first hit's box lies on the thing, where the photo is right."""
    found = counted.ways[NEEDLE]
    right = found.recall(1) & ~np.isnan(found.iou_top)
    shown: list[tuple[str, str, Bools]] = []
    for what in (EXACT, TOGETHER):
        of_kind = right & counted.asked(what)
        shown += [
            (what, "all", of_kind),
            (what, "verified", of_kind & counted.verified),
            (what, "not verified", of_kind & ~counted.verified),
        ]
    lines: list[tuple[Value, ...]] = [
        (
            what,
            which,
            int(chosen.sum()),
            *(mean_interval(found.iou_top[chosen] >= at) for at in OVERLAPS),
            float(np.median(found.iou_top[chosen])),
        )
        for what, which, chosen in shown
        if chosen.any()
    ]
    if lines:
        yield Sheet(
            "localisation",
            "Localisation",
            "Of the crops whose photo is first: how well its first box overlaps theirs.",
            ("asked", "hits", "of", *(f"IoU >= {at}" for at in OVERLAPS), "median IoU"),
            tuple(lines),
        )


_FIGURES = ("recall@1", "recall@5", f"top hit IoU >= {SAME_BOX}", "mean IoU")


def _figures(found: Outcomes) -> Sequence[Estimate]:

    return (
        mean_interval(found.recall(1)),
        mean_interval(found.recall(5)),
        mean_interval(found.iou_top >= SAME_BOX),
        mean_interval(found.iou_top),
    )


def _sampled(counted: Counted) -> Bools:
    """Tell which questions are about the boxes that are asked under every perturbation."""
    questions = counted.run.plan.questions
    every = {q.box for q in questions if q.what not in (EXACT, TOGETHER) and q.box is not None}
    return np.array([question.box in every for question in questions], bool)
