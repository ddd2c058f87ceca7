"""The steps of the recipe: banks, three heads, and the pack that ships."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from lab.training.backbone import load_backbone, published, write_graphs
from lab.training.banks.canvases import CanvasRecipe, CanvasShards, make_canvas_bank
from lab.training.banks.regions import RegionRecipe, RegionShards, chosen, make_region_bank
from lab.training.banks.shards import Bank
from lab.training.export import export
from lab.training.heads.detector import (
    DetectorBatches,
    DetectorRecipe,
    DetectorTraining,
    LearningDetector,
)
from lab.training.heads.kinds import KindBatches, KindRecipe, KindTraining, LearningKinds
from lab.training.heads.things import LearningThings, ThingBatches, ThingRecipe, ThingTraining
from lab.training.pictures.photos import TrainingPhoto, find_photos, spread
from lab.training.pictures.tiles import cut_large
from lab.training.runs.plot import plot_losses
from lab.training.runs.run import Run
from worker.models.onepass.heads import Network, Sizes
from worker.models.onepass.network import Backbone

NAME = "mini"


@dataclass(frozen=True)
class Sources:
    """What is learnt from: archives of photos, folders of more, weights.

    `teacher` is a YOLOv5 of many kinds, which says where things are and which are alike;
    `detector_teachers` are others that say where more things are. The backbone is that of the
    installed package where it is None. `most` photos, evenly spread, for a trial.
    """

    archives: Path
    teacher: Path
    unnamed: tuple[Path, ...] = ()
    named: tuple[Path, ...] = ()
    detector_teachers: tuple[Path, ...] = ()
    backbone: Path | None = None
    most: int | None = None


@dataclass(frozen=True)
class Recipes:
    """Everything that decides the pack, beside the sources."""

    regions: RegionRecipe
    canvases: CanvasRecipe
    things: ThingRecipe
    kinds: KindRecipe
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
        photos = chosen(self._photos, self.recipes.regions)
        sources, recipe = self.sources, self.recipes.regions
        shards = RegionShards(photos, self._graphs, sources.teacher, self.work, recipe)
        return make_region_bank(shards, self.work / "regions", workers=self.workers)

    @cached_property
    def canvases(self) -> Bank:
        """The bank of canvases; what is missing of it is made."""
        teachers = (self.sources.teacher, *self.sources.detector_teachers)
        recipe = self.recipes.canvases
        shards = CanvasShards(self._photos, self._graphs, teachers, self.work, recipe)
        return make_canvas_bank(shards, self.work / "canvases", workers=self.workers)

    def bank(self) -> None:
        """Make both banks."""
        print(f"banks: {len(self.regions)} regions, {len(self.canvases)} canvases")

    def things(self) -> None:
        """Train the thing head."""
        training, bank = self._things(), self.regions
        batches = ThingBatches(bank, self.recipes.things)
        training.train(batches)
        held_out = batches.held_out()
        print(
            f"things: {training.recall(held_out):.3f} of the queries find their region among "
            f"{len(held_out[0])} of photos that were kept out; {plot_losses(training.run.folder)}"
        )

    def kinds(self) -> None:
        """Train the kind head."""
        training, bank = self._kinds(), self.regions
        training.train(KindBatches(bank, self.recipes.kinds))
        print(f"kinds: {plot_losses(training.run.folder)}")

    def detector(self) -> None:
        """Train the detector head."""
        training, bank = self._detector(), self.canvases
        training.train(DetectorBatches(bank, self.recipes.detector))
        print(f"detector: {plot_losses(training.run.folder)}")

    def network(self) -> Network:
        """Return backbone and heads as they were trained. Raises ValueError where one was not."""
        things, kinds, detector = self._things(), self._kinds(), self._detector()
        for training in (things, kinds, detector):
            if training.step < training.recipe.steps:
                raise ValueError(
                    f"The head {training.name!r} has taken {training.step} of "
                    f"{training.recipe.steps} steps: run `{training.name}` first"
                )
        network = Network(self.recipes.sizes)
        network.backbone.load_state_dict(self.backbone.state_dict())
        network.thing.load_state_dict(things.average.cpu().folded().state_dict())
        network.kind.load_state_dict(kinds.average.cpu().folded().state_dict())
        network.detector.load_state_dict(detector.average.cpu().folded().state_dict())
        return network.eval().requires_grad_(False)

    def export(self, out: Path) -> None:
        """Write the network into a pack's folder."""
        export(self.network(), out, NAME)
        print(f"wrote the network of {out}")

    @cached_property
    def _photos(self) -> list[TrainingPhoto]:
        sources = self.sources
        photos = find_photos(sources.archives, sources.unnamed, sources.named)
        photos = photos if sources.most is None else spread(photos, sources.most)
        return cut_large(photos, self.work / "tiles", self.recipes.regions.seed)

    @cached_property
    def _graphs(self) -> Path:
        folder = self.work / "backbone"
        if not (folder / "deep.onnx").is_file():
            write_graphs(self.backbone, folder)
        return folder

    def _things(self) -> ThingTraining:
        torch.manual_seed(self.recipes.things.seed)
        head, run = LearningThings(self.recipes.sizes), Run(self.work / "things")
        return ThingTraining(head, self.recipes.things, run, self.device, self.dtype)

    def _kinds(self) -> KindTraining:
        torch.manual_seed(self.recipes.kinds.seed)
        head, run = LearningKinds(self.recipes.sizes), Run(self.work / "kinds")
        return KindTraining(head, self.recipes.kinds, run, self.device, self.dtype)

    def _detector(self) -> DetectorTraining:
        torch.manual_seed(self.recipes.detector.seed)
        head, run = LearningDetector(self.recipes.sizes), Run(self.work / "detector")
        return DetectorTraining(head, self.recipes.detector, run, self.device, self.dtype)
