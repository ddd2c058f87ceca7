"""The run as one picture: photos a second, the stages, searches."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

from lab.bench.figures import HTTP, IN_PROCESS, LIMIT, PLAIN, SMALL, WHOLE, percentile
from lab.bench.measured import Measured
from lab.evaluation.service.plotting import DPI, STYLE

COLOURS = {IN_PROCESS: "#0b6e4f", HTTP: "#4c9f7f", PLAIN: "#d1495b", LIMIT: "#8d99ae"}
OTHERS = "#edae49"
STAGES = mpl.colormaps["tab20"]


def draw(measured: Measured, path: Path, console: Console) -> None:
    """Write the picture."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type, unused-ignore]
        figure = Figure((15, 4.8), layout="constrained")
        speed, stages, search = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 1))
        _speeds(speed, measured)
        _stages(stages, measured)
        _searches(search, measured)
        figure.suptitle(
            f"{measured.machine.cpu}, {measured.machine.cores} cores, {_held(measured)}"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI)
    console.print(f"written: {path}")


def _speeds(at: Axes, measured: Measured) -> None:
    runs = [run for run in measured.runs if run.size == SMALL]
    places = np.arange(len(runs))
    values = [run.photos_per_s for run in runs]
    bars = at.barh(places, values, color=[COLOURS.get(run.way, OTHERS) for run in runs])
    at.bar_label(bars, [f" {value:.3g}" for value in values])
    at.set_yticks(places, [f"{run.way}\n{run.profile}" if run.profile else run.way for run in runs])
    at.invert_yaxis()
    at.grid(axis="y", visible=False)
    at.margins(x=0.15)
    at.set_xlabel("photos a second")
    at.set_title("Indexing small photos")


def _stages(at: Axes, measured: Measured) -> None:
    shown = [staged for staged in measured.staged if staged.size == SMALL]
    names = list(dict.fromkeys(name for staged in shown for name in staged.laps if name != WHOLE))
    left = np.zeros(len(shown))
    for n, name in enumerate(names):
        laps = [staged.laps.get(name) for staged in shown]
        ms = np.array(
            [
                lap.wall_s / staged.photos * 1000 if lap else 0.0
                for lap, staged in zip(laps, shown, strict=True)
            ]
        )
        at.barh(range(len(shown)), ms, left=left, color=STAGES(n % STAGES.N), label=name)
        left += ms.clip(min=0)
    at.set_yticks(range(len(shown)), [staged.way for staged in shown])
    at.invert_yaxis()
    at.grid(axis="y", visible=False)
    at.set_xlabel("milliseconds a photo")
    at.set_title("Stage by stage, small photos")
    at.legend(loc="lower center", bbox_to_anchor=(0.5, -0.45), ncols=3, fontsize=8)


def _searches(at: Axes, measured: Measured) -> None:
    names = [name for name, spent in measured.searches.items() if spent]
    places = np.arange(len(names))
    for shift, share, colour in ((-0.18, 0.5, "#4aa3c7"), (0.18, 0.95, "#08306b")):
        values = [percentile(measured.searches[name], share) for name in names]
        bars = at.bar(places + shift, values, 0.34, color=colour, label=f"p{share * 100:.0f}")
        at.bar_label(bars, [f"{value:.0f}" for value in values])
    at.set_xticks(places, [name.replace(", ", "\n") for name in names])
    at.grid(axis="x", visible=False)
    at.set_ylabel("milliseconds")
    at.set_title("A search")
    at.legend()


def _held(measured: Measured) -> str:
    return measured.cap.split(" (")[0]
