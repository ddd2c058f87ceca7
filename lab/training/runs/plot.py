"""Draws a run's losses, to see at a glance whether it learnt and whether it had finished."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot

SMOOTH = 9
"""Reports that a line averages over; the single ones stay visible behind it."""


def plot_losses(run: Path) -> Path:
    """Draw `losses.csv` of the run's folder as `losses.png` beside it, and return its path.

    Raises FileNotFoundError where the run has reported nothing yet.
    """
    with (run / "losses.csv").open(newline="") as file:
        names, *rows = list(csv.reader(file))
    values = np.array(rows, dtype=float)
    figure, plots = pyplot.subplots(
        1, len(names) - 1, figsize=(3.6 * (len(names) - 1), 3), layout="constrained"
    )
    for plot, name, column in zip(np.atleast_1d(plots), names[1:], values.T[1:], strict=True):
        plot.plot(values[:, 0], column, color="#9db4c8", linewidth=0.8)
        plot.plot(values[:, 0], _smoothed(column), color="#1b4f72", linewidth=1.6)
        plot.set(title=name, xlabel=names[0])
        plot.grid(alpha=0.3)
    path = run / "losses.png"
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path


def _smoothed(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """Return the mean of each value and those just around it."""
    reach = SMOOTH // 2
    return [float(values[max(0, n - reach) : n + reach + 1].mean()) for n in range(len(values))]
