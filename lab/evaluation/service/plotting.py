"""How the plots look: colours and markers, intervals, legends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lab.evaluation.bootstrap import Estimate
from lab.evaluation.service.pipelines import GRID, ONE, PLAIN
from lab.evaluation.service.tables import NEEDLE

COLOURS = {NEEDLE: "#0b6e4f", PLAIN: "#d1495b", ONE: "#8d99ae", GRID: "#edae49"}
MARKERS = {NEEDLE: "o", PLAIN: "s", ONE: "v", GRID: "D"}
"""For those who do not see red and green, and for grey paper."""
BANDS_BY_SIZE = ("#08306b", "#2171b5", "#4aa3c7", "#e39b2f", "#b5422c")
INK, FAINT = "#222831", "#d8dde3"
DPI = 144
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa4af",
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def line(at: Axes, x: Sequence[float], values: Sequence[Estimate], way: str) -> None:
    """Draw one way of searching: its means, and their intervals."""
    centre, reach = bars(values)
    at.errorbar(
        x,
        centre,
        yerr=reach,
        color=COLOURS[way],
        marker=MARKERS[way],
        linewidth=2.4 if way == NEEDLE else 1.5,
        markersize=6,
        elinewidth=1.1,
        label=way,
    )


def bars(values: Sequence[Estimate]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means (n,) and how far their intervals reach below and above (2, n)."""
    centre = np.array([found.value for found in values], float)
    low = np.array([found.low for found in values], float)
    high = np.array([found.high for found in values], float)
    return centre, np.stack([centre - low, high - centre]).clip(min=0)


def shifts(count: int, step: float = 0.06) -> NDArray[np.float64]:
    """Return by how much each of several ways is moved aside, so that intervals do not overlap."""
    return np.array((np.arange(count) - (count - 1) / 2) * step, np.float64)


def fractions(at: Axes, label: str) -> None:
    """Make an axis of shares, 0..1."""
    at.set_ylim(-0.03, 1.03)
    at.set_ylabel(label)


def legend(figure: Figure, at: Axes, columns: int) -> None:
    """Put the legend of one plot below all of them."""
    handles, labels = at.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
