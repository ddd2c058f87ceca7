"""`python -m lab.training`: trains the models of the pack `mini`, writes them where they ship."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from common.errors import NeedleError
from lab.training.batches import PairBatches
from lab.training.canvases import CanvasBatches
from lab.training.detector import DetectorRecipe, DetectorTraining, export_detector
from lab.training.encoder import EncoderRecipe, EncoderTraining, export_encoder, parameters
from lab.training.loop import RecipeT
from lab.training.photos import read_photos
from lab.training.plot import plot_losses
from lab.training.precision import training_precision
from lab.training.regions import Regions
from lab.training.run import Run
from lab.training.teacher import teacher_boxes
from worker.models.checkpoint import load_checkpoint
from worker.models.device import resolve_device


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is asked for; return the exit status."""
    options = _parser().parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True  # a run's pictures have a size or two
    try:
        device = resolve_device(options.device)
        precision = training_precision(options.precision, device)
        print(f"training on {device} in {precision.name}: {precision.reason}")
        if options.what in ("encoder", "all"):
            train_encoder(options, device, precision.dtype)
        if options.what in ("detector", "all"):
            train_detector(options, device, precision.dtype)
    except (NeedleError, OSError, ValueError) as exc:
        print(f"training: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from the last state that was saved.")
        return 130
    return 0


def train_encoder(options: argparse.Namespace, device: torch.device, dtype: torch.dtype) -> None:
    """Train the encoder and write it to `encoder/` of the pack."""
    recipe = _asked(EncoderRecipe(), options)
    late_from = round(recipe.late_from * recipe.steps)
    batches = _pairs(options, recipe, device, dtype, seed=recipe.seed, late_from=late_from)
    run = Run(options.work / "encoder")
    training = EncoderTraining(recipe, run, device, dtype)
    print(f"encoder: {parameters(training.model) / 1e6:.2f} million parameters")
    teacher = load_checkpoint(options.teacher, options.work)
    training.train(batches, teacher, workers=options.workers)
    export_encoder(training.model, recipe.side_px, options.out / "encoder")
    print(f"wrote {options.out / 'encoder'} and {plot_losses(run.folder)}")


def _asked(recipe: RecipeT, options: argparse.Namespace) -> RecipeT:
    """Return the recipe with the seed and the steps that were asked for."""
    return replace(recipe, seed=options.seed, steps=options.steps or recipe.steps)


def _pairs(
    options: argparse.Namespace,
    recipe: EncoderRecipe,
    device: torch.device,
    dtype: torch.dtype,
    *,
    seed: int,
    late_from: int,
) -> PairBatches:
    """Return the batches of views of a run, from the photos and the teacher's boxes on them."""
    photos = read_photos(options.data, options.photos)
    boxes = teacher_boxes(photos, options.teacher, options.work / "teacher.json", device, dtype)
    return PairBatches(
        photos,
        Regions(photos, boxes),
        pairs=recipe.pairs,
        side=recipe.side_px,
        seed=seed,
        late_from=late_from,
    )


def train_detector(options: argparse.Namespace, device: torch.device, dtype: torch.dtype) -> None:
    """Train the detector and write it to `detector.safetensors` of the pack."""
    recipe = _asked(DetectorRecipe(), options)
    photos = read_photos(options.data, options.photos)
    batches = CanvasBatches(photos, size=recipe.batch, sides_px=recipe.sides_px, seed=recipe.seed)
    teacher = load_checkpoint(options.teacher, options.work)
    run = Run(options.work / "detector")
    training = DetectorTraining(recipe, run, teacher, device, dtype)
    print(f"detector: {parameters(training.student) / 1e6:.2f} million parameters")
    training.train(batches, workers=options.workers)
    path = options.out / "detector.safetensors"
    export_detector(training, path)
    print(f"wrote {path} and {plot_losses(run.folder)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.training", description=__doc__)
    parser.add_argument("what", choices=("encoder", "detector", "all"))
    parser.add_argument("--data", type=Path, required=True, help="folder of .tar archives")
    parser.add_argument("--teacher", type=Path, required=True, help="trained YOLOv5 weights")
    parser.add_argument("--work", type=Path, default=Path("data/training"), help="runs go here")
    parser.add_argument("--out", type=Path, default=Path("models/mini"), help="the pack's folder")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--precision",
        default=os.environ.get("NEEDLE_PRECISION") or "auto",
        help="auto, float32 or bfloat16 (NEEDLE_PRECISION, else auto: bfloat16 unless emulated)",
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch chooses")
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steps", type=int, default=0, help="fewer, for a trial")
    parser.add_argument("--photos", type=int, default=None, help="fewer, for a trial")
    return parser


if __name__ == "__main__":
    sys.exit(main())
