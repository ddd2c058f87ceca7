"""Heads: losses say what they should, fall, and what was stopped ends as if it had not been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from lab.training.heads.axes import principal
from lab.training.heads.detector import DetectorBatches, DetectorTraining, LearningDetector
from lab.training.heads.detector_loss import LARGE, SMALL, level_losses, targets_of
from lab.training.heads.folding import fold, normed, shift
from lab.training.heads.kinds import kind_axes
from lab.training.heads.losses import finding_loss
from lab.training.heads.things import NEAR, LearningThings, ThingBatches, ThingTraining
from lab.training.making import Making
from lab.training.runs.loop import Training, pace
from lab.training.runs.plot import plot_losses
from lab.training.runs.run import Run
from tests.assets import CPU, TRAINING_DTYPE
from tests.unit.lab.training.conftest import RECIPES, SIZES

LEARNT = replace(SIZES, thing=RECIPES.things.dim)
AnyTraining = Training[Any, Any, Any]


def things(made: Making, folder: Path, **changes: Any) -> tuple[AnyTraining, Any]:
    recipe = replace(RECIPES.things, **changes)
    torch.manual_seed(1)
    training = ThingTraining(LearningThings(LEARNT), recipe, Run(folder), CPU, TRAINING_DTYPE)
    return training, ThingBatches(made.regions, recipe)


def detector(made: Making, folder: Path, **changes: Any) -> tuple[AnyTraining, Any]:
    recipe = replace(RECIPES.detector, **changes)
    torch.manual_seed(1)
    training = DetectorTraining(LearningDetector(SIZES), recipe, Run(folder), CPU, TRAINING_DTYPE)
    return training, DetectorBatches(made.canvases, recipe)


EACH = pytest.mark.parametrize("begin", [things, detector])
Begin = Callable[..., tuple[AnyTraining, Any]]


@EACH
def test_a_head_learns(begin: Begin, made: Making, tmp_path: Path) -> None:
    training, batches = begin(made, tmp_path, steps=20, learning_rate=1e-2)
    batch = batches[0]
    losses = [sum(loss.item() for loss in training.take_step(batch).values()) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]


@EACH
def test_a_run_that_stopped_ends_as_if_it_had_not(
    begin: Begin, made: Making, tmp_path: Path
) -> None:
    whole, batches = begin(made, tmp_path / "whole")
    whole.train(batches)
    first, _ = begin(made, tmp_path / "halves")
    first.take_step(batches[0])
    first.save()
    second, again = begin(made, tmp_path / "halves")
    assert second.step == 1
    second.train(again)
    for name, tensor in whole.head.state_dict().items():
        assert torch.equal(tensor, second.head.state_dict()[name]), name


def test_a_folder_is_not_shared_by_two_runs(made: Making, tmp_path: Path) -> None:
    things(made, tmp_path)[0].save()
    with pytest.raises(ValueError, match="another recipe"):
        things(made, tmp_path, photos=3)


def test_axes_keep_what_tells_most() -> None:
    torch.manual_seed(0)
    rows = torch.randn(50, 6) * torch.tensor([5.0, 0.01, 3.0, 0.01, 1.0, 0.01])
    axes = principal(rows, 3)
    assert torch.allclose(axes @ axes.T, torch.eye(3), atol=1e-5)
    assert axes.abs().argmax(1).tolist() == [0, 2, 4] and (axes.sum(1) > 0).all()
    short = nn.functional.normalize(rows @ axes.T, dim=1)
    whole = nn.functional.normalize(rows, dim=1)
    assert torch.allclose(short @ short.T, whole @ whole.T, atol=0.02)


def test_kinds_are_the_axes_of_what_the_backbone_says(made: Making) -> None:
    assert kind_axes(made.regions, 4).shape == (4, 320)


def test_a_normalisation_is_folded_into_two_convolutions_that_add_up() -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(5, 3, 1), nn.Conv2d(4, 3, 1, bias=False)
    norms = normed(5), normed(4)
    for norm in norms:
        norm(torch.randn(9, norm.num_features, 3, 3) * 3 + 2)
        norm.eval()
    a, b = torch.randn(2, 5, 6, 6), torch.randn(2, 4, 6, 6)
    expected = first(norms[0](a)) + second(norms[1](b))
    shift(first, fold(norms[0], first) + fold(norms[1], second))
    assert torch.allclose(first(a) + second(b), expected, atol=1e-5)


def test_folded_heads_say_the_same(made: Making, tmp_path: Path) -> None:
    torch.manual_seed(2)
    fine, deep = torch.rand(6, 176, 6, 6) * 4, torch.rand(6, 320, 3, 3) - 0.3
    learning = LearningThings(LEARNT)
    learning(fine, deep)
    head = learning.eval().folded(torch.eye(LEARNT.thing))
    projected = head.near(fine[:, :NEAR]) + head.far(fine[:, NEAR:])
    assert torch.allclose(head(projected, head.context(deep)), learning(fine, deep), atol=1e-4)
    eighth, sixteenth = torch.rand(2, 40, 8, 8) * 3, torch.rand(2, 112, 4, 4) - 0.7
    detecting = LearningDetector(SIZES)
    detecting(eighth, sixteenth)
    detecting.eval()
    shipped = detecting.folded()(eighth, sixteenth)
    for said, meant in zip(shipped, detecting(eighth, sixteenth), strict=True):
        assert torch.allclose(said, meant, atol=1e-4)


def unit(*rows: tuple[float, ...]) -> torch.Tensor:
    return nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


def test_the_finding_loss_falls_when_queries_meet_their_regions() -> None:
    index = unit((1, 0), (0, 1))
    near, far = unit((1, 0.1), (0.1, 1))[:, None], unit((0.1, 1), (1, 0.1))[:, None]
    for name, loss in finding_loss(index, near, 0.1).items():
        assert loss < 0.1 < 2 < finding_loss(index, far, 0.1)[name]


def test_a_label_is_for_the_cells_around_its_centre_and_the_anchors_of_its_size() -> None:
    found = torch.tensor([[1, 20.0, 22.0, 44.0, 50.0, 0.9]])
    small = targets_of(found, SMALL, 12, 12)
    assert {(x, y) for x, y in zip(small.column.tolist(), small.row.tolist(), strict=True)} == {
        (4, 4),
        (3, 4),
        (4, 3),
    }
    assert set(small.canvas.tolist()) == {1} and set(small.anchor.tolist()) >= {0}
    assert len(targets_of(found, LARGE, 6, 6).label) == 0
    long = torch.tensor([[0, 0.0, 40.0, 96.0, 60.0, 1.0]])
    assert set(targets_of(long, LARGE, 6, 6).anchor.tolist()) == {2}


def test_a_cell_that_says_the_box_has_nothing_to_learn_of_it() -> None:
    found = torch.tensor([[0, 21.0, 21.0, 43.0, 43.0, 1.0]])
    said = torch.full((1, 20, 8, 8), -9.0)
    cells = said.view(1, 4, 5, 8, 8)
    cells[:, :, :4] = 0
    # The cell of the centre, and the two beside it: half a cell here and there.
    cells[0, 0, :2, 4, 4] = torch.logit(torch.tensor(0.25))
    cells[0, 0, :2, 4, 3] = torch.logit(torch.tensor([0.75, 0.25]))
    cells[0, 0, :2, 3, 4] = torch.logit(torch.tensor([0.25, 0.75]))
    only = replace(SMALL, anchors=((22, 22),))
    one = cells[:, :1].flatten(1, 2).clone()
    boxes, objects = level_losses(one, found, only)
    assert boxes.item() == pytest.approx(0, abs=1e-5)
    one.view(1, 1, 5, 8, 8)[0, 0, 4, [4, 4, 3], [4, 3, 4]] = 9.0
    assert level_losses(one, found, only)[1] < 0.01 < objects


def test_a_canvas_without_labels_teaches_that_nothing_is_there() -> None:
    boxes, objects = level_losses(torch.zeros(1, 20, 4, 4), torch.zeros(0, 6), LARGE)
    assert boxes == 0 and objects > 0


def test_the_pace_rises_and_falls() -> None:
    paces = [pace(step, 40) for step in range(40)]
    assert max(paces) == paces[3] == 1 and paces[0] == 0.25 and paces[-1] < 0.01
    assert pace(0, 1) == 1


def test_the_losses_are_drawn(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for step in range(3):
        run.report(step, {"a": 1.0 / (step + 1), "b": 2.0})
    with Image.open(plot_losses(tmp_path)) as drawn:
        assert drawn.width > drawn.height
