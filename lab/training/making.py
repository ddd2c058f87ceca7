"""The steps of the recipe: banks, heads, and the pack that ships."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lab.training.backbone import load_backbone, published, write_graphs
from lab.training.banks.canvases import CanvasRecipe, CanvasShards, make_canvas_bank
from lab.training.banks.regions import RegionRecipe, RegionShards, chosen, make_region_bank
from lab.training.banks.shards import Bank
from lab.training.export import export, export_int8
from lab.training.heads.detector import (
    DetectorBatches,
    DetectorRecipe,
    DetectorTraining,
    LearningDetector,
)
from lab.training.heads.kinds import kind_axes
from lab.training.heads.things import LearningThings, ThingBatches, ThingRecipe, ThingTraining
from lab.training.int8.ranges import calibration_pictures
from lab.training.pictures.photos import TrainingPhoto, find_photos, spread
from lab.training.pictures.tiles import cut_large
from lab.training.runs.plot import plot_losses
from lab.training.runs.run import Run
from worker.models.onepass.heads import Network, Sizes
from worker.models.onepass.network import Backbone

NAME = "mini"
AXES = "axes.safetensors"


@dataclass(frozen=True)
class Sources:
    """What is learnt from: archives of photos, folders of more, weights.

    `teachers` are YOLOv5 weights that say where things are. The backbone is that of the
    installed package where it is None. `most` photos, evenly spread, for a trial.
    """

    archives: Path
    teachers: tuple[Path, ...]
    folders: tuple[Path, ...] = ()
    backbone: Path | None = None
    most: int | None = None


@dataclass(frozen=True)
class Recipes:
    """Everything that decides the pack, beside the sources."""

    regions: RegionRecipe
    canvases: CanvasRecipe
    things: ThingRecipe
    detector: DetectorRecipe
    sizes: Sizes


@dataclass(frozen=True)
class Making:
    """The steps, each of which goes on where it was stopped. They live in `work`.

    Raises InvalidModel, FileNotFoundError and ValueError, each with a sentence.
    """

    sources: Sources
    recipes: Recipes
    work: Path
    device: torch.device
    dtype: torch.dtype
    workers: int = 1

    @cached_property
    def backbone(self) -> Backbone:
        """The published weights."""
        return load_backbone(self.sources.backbone or published())

    @cached_property
    def regions(self) -> Bank:
        """The bank of regions; what is missing of it is made."""
        shards = RegionShards(self._photos, self._graphs, self.recipes.regions)
        return make_region_bank(shards, self.work / "regions", workers=self.workers)

    @cached_property
    def canvases(self) -> Bank:
        """The bank of canvases; what is missing of it is made."""
        teachers, recipe = self.sources.teachers, self.recipes.canvases
        shards = CanvasShards(self._photos, self._graphs, teachers, self.work, recipe)
        return make_canvas_bank(shards, self.work / "canvases", workers=self.workers)

    def bank(self) -> None:
        """Make both banks."""
        print(f"banks: {len(self.regions)} regions, {len(self.canvases)} canvases")

    def things(self) -> None:
        """Train the thing head, and find the axes that ship."""
        training, bank = self._things(), self.regions
        batches = ThingBatches(bank, self.recipes.things)
        training.train(batches)
        self._keep("things", training.axes(bank, self.recipes.sizes.thing))
        held_out = batches.held_out()
        print(
            f"things: {training.recall(held_out):.3f} of the queries find their region among "
            f"{len(held_out[0])} of photos that were kept out; {plot_losses(training.run.folder)}"
        )

    def kinds(self) -> None:
        """Find the axes of kinds."""
        self._keep("kinds", kind_axes(self.regions, self.recipes.sizes.kind))
        print(f"kinds: {self.recipes.sizes.kind} axes")

    def detector(self) -> None:
        """Train the detector head."""
        training, bank = self._detector(), self.canvases
        training.train(DetectorBatches(bank, self.recipes.detector))
        print(f"detector: {plot_losses(training.run.folder)}")

    def network(self) -> Network:
        """Return backbone and heads as they were trained. Raises ValueError where one was not."""
        things, detector = self._things(), self._detector()
        for training in (things, detector):
            if training.step < training.recipe.steps:
                raise ValueError(
                    f"The head {training.name!r} has taken {training.step} of "
                    f"{training.recipe.steps} steps: run `{training.name}` first"
                )
        network = Network(self.recipes.sizes)
        network.backbone.load_state_dict(self.backbone.state_dict())
        own = things.average.cpu().folded(self._kept("things"))
        network.thing.load_state_dict(own.state_dict())
        network.kind.load_state_dict({"axes.weight": self._kept("kinds")})
        network.detector.load_state_dict(detector.average.cpu().folded().state_dict())
        return network.eval().requires_grad_(False)

    def export(self, out: Path) -> None:
        """Write the network into a pack's folder."""
        export(self.network(), out, NAME)
        print(f"wrote the network of {out}")
        self.int8(out)

    def int8(self, out: Path) -> None:
        """Write the graphs of 8 bits into the folder of a pack whose weights are there."""
        photos = find_photos(self.sources.archives)
        export_int8(out, calibration_pictures(photos, self.recipes.regions.seed))
        print(f"wrote the graphs of 8 bits of {out}")

    @cached_property
    def _photos(self) -> list[TrainingPhoto]:
        """What both banks are made of."""
        sources = self.sources
        photos = find_photos(sources.archives, sources.folders)
        photos = photos if sources.most is None else spread(photos, sources.most)
        recipe = self.recipes.regions
        return chosen(cut_large(photos, self.work / "tiles", recipe.seed), recipe)

    @cached_property
    def _graphs(self) -> Path:
        folder = self.work / "backbone"
        if not (folder / "deep.onnx").is_file():
            write_graphs(self.backbone, folder)
        return folder

    def _keep(self, name: str, axes: torch.Tensor) -> None:
        (self.work / name).mkdir(parents=True, exist_ok=True)
        save_file({"axes": axes}, self.work / name / AXES)

    def _kept(self, name: str) -> torch.Tensor:
        path = self.work / name / AXES
        if not path.is_file():
            raise ValueError(f"The head {name!r} has no axes yet: run `{name}` first")
        return load_file(path)["axes"]

    def _things(self) -> ThingTraining:
        recipe = self.recipes.things
        torch.manual_seed(recipe.seed)
        head = LearningThings(replace(self.recipes.sizes, thing=recipe.dim))
        return ThingTraining(head, recipe, Run(self.work / "things"), self.device, self.dtype)

    def _detector(self) -> DetectorTraining:
        torch.manual_seed(self.recipes.detector.seed)
        head, run = LearningDetector(self.recipes.sizes), Run(self.work / "detector")
        return DetectorTraining(head, self.recipes.detector, run, self.device, self.dtype)
