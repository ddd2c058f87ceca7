"""`python -m lab.training`: trains the heads of the pack `mini`, writes it where it ships."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from common.errors import NeedleError
from lab.training.banks.canvases import CanvasRecipe
from lab.training.banks.regions import RegionRecipe
from lab.training.heads.detector import DetectorRecipe
from lab.training.heads.things import ThingRecipe
from lab.training.making import Making, Recipes, Sources
from lab.training.precision import training_precision
from lab.training.runs.loop import RecipeT
from worker.models.device import resolve_device
from worker.models.onepass.heads import Sizes

STEPS = ("bank", "things", "kinds", "detector", "export")
WRITING = ("export", "int8")
"""What writes into the pack's folder; `export` takes `int8` along."""


def main(argv: Sequence[str] | None = None) -> int:
    """Take the steps that are asked for; return the exit status."""
    options = _parser().parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        device = resolve_device(options.device)
        precision = training_precision(options.precision, device)
        print(f"training on {device} in {precision.name}: {precision.reason}")
        making = Making(
            _sources(options),
            _recipes(options),
            options.work,
            device,
            precision.dtype,
            options.workers,
        )
        for step in STEPS if options.what == "all" else (options.what,):
            getattr(making, step)(*([options.out] if step in WRITING else []))
    except (NeedleError, OSError, ValueError) as exc:
        print(f"training: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from what was saved.")
        return 130
    return 0


def _sources(options: argparse.Namespace) -> Sources:
    return Sources(
        archives=options.data,
        teachers=(options.teacher, *options.detector_teacher),
        folders=tuple(options.photos),
        backbone=options.backbone,
        most=options.most,
    )


def _recipes(options: argparse.Namespace) -> Recipes:
    canvases = CanvasRecipe(seed=options.seed)
    if options.canvases:
        canvases = replace(canvases, canvases=options.canvases)
    return Recipes(
        regions=RegionRecipe(seed=options.seed),
        canvases=canvases,
        things=_asked(ThingRecipe(), options),
        detector=_asked(DetectorRecipe(), options),
        sizes=Sizes(),
    )


def _asked(recipe: RecipeT, options: argparse.Namespace) -> RecipeT:
    """Return the recipe with the seed and the steps that were asked for."""
    return replace(recipe, seed=options.seed, steps=options.steps or recipe.steps)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.training", description=__doc__)
    parser.add_argument("what", choices=(*STEPS, "int8", "all"))
    parser.add_argument("--data", type=Path, required=True, help="folder of .tar archives")
    parser.add_argument("--teacher", type=Path, required=True, help="trained YOLOv5 weights")
    more: dict[str, Any] = {"type": Path, "action": "append", "default": [], "metavar": "PATH"}
    parser.add_argument("--photos", help="a folder of more photos; may be repeated", **more)
    parser.add_argument(
        "--detector-teacher", help="YOLOv5 weights that find more things; may be repeated", **more
    )
    parser.add_argument(
        "--backbone", type=Path, help="EfficientNet-Lite0's .pth (default: the package's)"
    )
    parser.add_argument("--work", type=Path, default=Path("data/training"), help="all goes here")
    parser.add_argument("--out", type=Path, default=Path("models/mini"), help="the pack's folder")
    parser.add_argument(
        "--device", default="auto", help="auto, cpu or cuda: the heads' (banks: CPU)"
    )
    parser.add_argument(
        "--precision",
        default=os.environ.get("NEEDLE_PRECISION") or "auto",
        help="auto, float32 or bfloat16 (NEEDLE_PRECISION, else auto: bfloat16 unless emulated)",
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch chooses")
    parser.add_argument("--workers", type=int, default=1, help="processes that make banks")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steps", type=int, default=0, help="of each head: fewer, for a trial")
    parser.add_argument("--most", type=int, help="photos: fewer, for a trial")
    parser.add_argument("--canvases", type=int, default=0, help="fewer, for a trial")
    return parser


if __name__ == "__main__":
    sys.exit(main())
