"""The plots of a run of the service, as PNG files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console

from lab.evaluation.bootstrap import mean_interval
from lab.evaluation.perturb import PERTURBATIONS
from lab.evaluation.questions import BANDS
from lab.evaluation.report import SAME_BOX
from lab.evaluation.retrieval import Outcomes
from lab.evaluation.service.losses import STEPS
from lab.evaluation.service.openset import PRECISION
from lab.evaluation.service.pipelines import GRID
from lab.evaluation.service.plan import EXACT, TOGETHER
from lab.evaluation.service.plotting import (
    BANDS_BY_SIZE,
    COLOURS,
    DPI,
    FAINT,
    MARKERS,
    STYLE,
    bars,
    fractions,
    legend,
    line,
    shifts,
)
from lab.evaluation.service.prices import kinds, probabilities
from lab.evaluation.service.tables import NEEDLE, Counted

_TITLES = {EXACT: "Exact crops", TOGETHER: "All perturbations together"}

Bools = NDArray[np.bool_]


def draw(counted: Counted, folder: Path, console: Console) -> None:
    """Write every plot that the run has something to show in."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, plot in _PLOTS.items():
        with mpl.rc_context(STYLE):  # type: ignore[arg-type, unused-ignore]
            figure = plot(counted)
            if figure is not None:
                figure.savefig(folder / f"{name}.png", dpi=DPI)
                console.print(f"written: {folder / name}.png")


def needle_curve(counted: Counted) -> Figure | None:
    """Draw recall@1 and boxes found against the share of the photo, every way of searching."""
    whats = _asked(counted)
    if not whats:
        return None
    figure = Figure((5.4 * len(whats), 7.6), layout="constrained")
    axes = figure.subplots(2, len(whats), sharex=True, sharey=True, squeeze=False)
    measures: dict[str, Callable[[Outcomes], NDArray[np.bool_]]] = {
        "recall@1": lambda found: found.recall(1),
        f"top hit IoU ≥ {SAME_BOX}": lambda found: found.iou_top >= SAME_BOX,
    }
    for column, what in enumerate(whats):
        asked = {band: counted.asked(what, limits) for band, limits in BANDS.items()}
        asked = {band: own for band, own in asked.items() if own.any()}
        chosen = list(asked.values())
        for row, (name, measure) in enumerate(measures.items()):
            at = axes[row][column]
            for shift, (way, found) in _aside(counted):
                values = [mean_interval(measure(found[own])) for own in chosen]
                line(at, (np.arange(len(chosen)) + shift).tolist(), values, way)
            fractions(at, name if column == 0 else "")
            at.set_title(_TITLES[what] if row == 0 else "")
        labels = [f"{n}\n(n={int(c.sum())})" for n, c in asked.items()]
        axes[1][column].set_xticks(range(len(labels)), labels)
        axes[1][column].set_xlabel("share of the photo's area")
    legend(figure, axes[0][0], len(counted.ways))
    return figure


def perturbations(counted: Counted) -> Figure | None:
    """Draw recall@1 under each perturbation, every way of searching."""
    every = {q.box for q in counted.run.plan.questions if q.what not in (EXACT, TOGETHER)}
    sampled = np.array([q.box in every for q in counted.run.plan.questions], bool)
    limits = (0.01, np.inf)
    asked = {what: counted.asked(what, limits) & sampled for what in PERTURBATIONS}
    asked = {what: chosen for what, chosen in asked.items() if chosen.any()}
    if len(asked) < 3:
        return None
    figure = Figure((8.4, 1.4 + 0.56 * len(asked)), layout="constrained")
    at = figure.subplots()
    for shift, (way, found) in _aside(counted, 0.2):
        values = [mean_interval(found[chosen].recall(1)) for chosen in asked.values()]
        centre, reach = bars(values)
        at.errorbar(
            centre,
            np.arange(len(asked)) + shift,
            xerr=reach,
            fmt=MARKERS[way],
            color=COLOURS[way],
            label=way,
            markersize=6,
            elinewidth=1.3,
            capsize=0,
        )
    at.set_yticks(range(len(asked)), list(asked))
    at.set_ylim(len(asked) - 0.5, -0.5)
    at.set_xlim(-0.02, 1.02)
    at.set_xlabel("recall@1")
    at.grid(axis="y", visible=False)
    for between in np.arange(len(asked) - 1) + 0.5:
        at.axhline(between, color=FAINT, linewidth=0.6)
    count = int(next(iter(asked.values())).sum())
    at.set_title(f"Crops of at least 1 % of the photo, perturbed (n={count} each)")
    legend(figure, at, len(counted.ways))
    return figure


def open_set(counted: Counted) -> Figure | None:
    """Draw precision against recall of both statements, and how far the confidence is to trust."""
    if not counted.run.without:
        return None
    figure = Figure((14.4, 4.9), layout="constrained")
    axes = figure.subplots(1, 3)
    palette = {"#222831": "-", "#0b6e4f": "-", "#4aa3c7": "--", "#e39b2f": ":", "#b5422c": "-."}
    for at, statement in zip(axes, ("found", "not found"), strict=False):
        styles = zip(palette.items(), kinds(counted).items(), strict=True)
        for (colour, dashes), (name, chosen) in styles:
            twice = counted.twice(chosen)
            if len(twice):
                curve = twice.found() if statement == "found" else twice.not_found()
                label = f"{name} (n={len(twice)})"
                at.plot(
                    *(curve.recall, curve.precision, dashes),
                    color=colour,
                    linewidth=1.9,
                    label=label,
                )
        at.axhline(PRECISION, color="#9aa4af", linewidth=1, linestyle="--")
        at.set_xlim(-0.02, 1.02)
        at.set_xlabel("recall")
        fractions(at, "precision")
        at.set_title(f"Saying '{statement}'")
    _trust(axes[2], counted)
    legend(figure, axes[0], len(palette))
    return figure


def localisation(counted: Counted) -> Figure | None:
    """Draw how well the first hit's box overlaps the crop's, where the photo is right."""
    whats = _asked(counted)
    found = counted.ways[NEEDLE]
    right = found.recall(1)
    if not any((right & counted.asked(what)).any() for what in whats):
        return None
    figure = Figure((5.4 * len(whats), 4.2), layout="constrained")
    axes = figure.subplots(1, len(whats), sharey=True, squeeze=False)[0]
    edges = np.linspace(0, 1, 21)
    for at, what in zip(axes, whats, strict=True):
        own = right & counted.asked(what)
        parts = [found.iou_top[own & counted.verified], found.iou_top[own & ~counted.verified]]
        weights = [np.full(len(part), 1 / max(1, own.sum())) for part in parts]
        at.hist(
            parts,
            edges,
            weights=weights,
            stacked=True,
            color=[COLOURS[NEEDLE], COLOURS[GRID]],
            label=["verified by local features", "by the embedding alone"],
            edgecolor="white",
            linewidth=0.5,
        )
        at.axvline(SAME_BOX, color="#9aa4af", linewidth=1, linestyle="--")
        median = f", median {np.median(found.iou_top[own]):.2f}" if own.any() else ""
        at.set_title(f"{_TITLES[what]} (n={int(own.sum())}{median})")
        at.set_xlabel("IoU of the first hit's box")
        at.set_xlim(0, 1)
    axes[0].set_ylabel("share of the crops found")
    axes[0].legend(loc="upper left")
    return figure


def loss_budget(counted: Counted) -> Figure | None:
    """Draw what is left after each step of a search, by size."""
    run = counted.run
    whats = [what for what in _asked(counted) if counted.asked(what)[run.stepwise].any()]
    if not whats:
        return None
    figure = Figure((6.2 * len(whats), 5.0), layout="constrained")
    axes = figure.subplots(1, len(whats), sharey=True, squeeze=False)[0]
    share = counted.share[run.stepwise]
    for at, what in zip(axes, whats, strict=True):
        of_kind = counted.asked(what)[run.stepwise]
        for n, (name, (low, high)) in enumerate(BANDS.items()):
            own = of_kind & (low <= share) & (share < high)
            if own.any():
                left = [float(run.steps[own].well[step].mean()) for step in STEPS]
                aside = np.arange(len(STEPS)) + (n - 2) * 0.05
                label = f"{name} (n={int(own.sum())})"
                at.plot(aside, left, color=BANDS_BY_SIZE[n], marker="o", linewidth=2, label=label)
        at.set_xticks(range(len(STEPS)), _SHORT_STEPS)
        fractions(at, "share that is well so far")
        at.set_title(_TITLES[what])
    legend(figure, axes[0], len(BANDS))
    return figure


_PLOTS: Mapping[str, Callable[[Counted], Figure | None]] = {
    "needle-curve": needle_curve,
    "perturbations": perturbations,
    "open-set": open_set,
    "localisation": localisation,
    "loss-budget": loss_budget,
}
_SHORT_STEPS = ("region\nproposed", "exact\nsearch", "engine's\nsearch", "grouped", "verified")


def _trust(at: Axes, counted: Counted) -> None:
    """Draw the reliability of the probability, or how the confidence divides the answers."""
    found = probabilities(counted)
    if found is None:
        present = [counted.run.answers[n].confidence for n in counted.run.without]
        absent = [answer.confidence for answer in counted.run.without.values()]
        edges = np.linspace(min(*present, *absent), max(*present, *absent), 31)
        labels = ("there", "not there")
        at.hist(present, edges.tolist(), alpha=0.75, color=COLOURS[NEEDLE], label=labels[0])
        at.hist(absent, edges.tolist(), alpha=0.75, color=COLOURS[GRID], label=labels[1])
        at.set_xlabel("top match's score and evidence")
        at.set_ylabel("answers")
        at.set_title("What the answers say")
        at.legend()
        return
    at.plot([0, 1], [0, 1], color="#9aa4af", linewidth=1, linestyle="--")
    centre, reach = bars([bin.right for bin in found.bins])
    x = [bin.probability for bin in found.bins]
    at.errorbar(x, centre, yerr=reach, fmt="-", color=COLOURS[NEEDLE], linewidth=1.5)
    sizes = np.array([bin.right.of for bin in found.bins], float)
    at.scatter(x, centre, s=20 + 260 * sizes / sizes.max(), color=COLOURS[NEEDLE], alpha=0.65)
    at.set_xlim(-0.03, 1.03)
    at.set_xlabel("the service's probability")
    fractions(at, "share that was right")
    at.set_title(f"Reliability (ECE {found.error:.3f}, Brier {found.brier:.3f})")


def _aside(counted: Counted, step: float = 0.06) -> Iterator[tuple[float, tuple[str, Outcomes]]]:
    """Yield every way of searching and what it found, and by how much to move it aside."""
    aside = shifts(len(counted.ways), step).tolist()
    yield from zip(aside, counted.ways.items(), strict=True)


def _asked(counted: Counted) -> list[str]:
    return [what for what in (EXACT, TOGETHER) if counted.asked(what).any()]
