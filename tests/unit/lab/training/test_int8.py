"""Rounding to 8 bits: what it keeps, and that no processor overflows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession
from torch import nn

from lab.training.export import traced
from lab.training.int8 import products
from lab.training.int8.ranges import Range, calibration_pictures
from lab.training.int8.rounding import MapScale, rounded
from lab.training.pictures.photos import find_photos


def seen(channels: int, seed: int = 0) -> Range:
    means = np.random.default_rng(seed).uniform(0.5, 3, channels).astype(np.float32)
    return Range(0.0, 6.0, means)


SCALE = MapScale.of(0.0, 6.0)


def test_a_map_is_spread_over_all_bytes_and_zero_is_exact() -> None:
    scale = MapScale.of(-3.0, 5.0)
    ends = (np.array([0, 255]) - float(scale.zero)) * scale.step
    assert ends == pytest.approx([-3, 5], abs=float(scale.step))
    assert MapScale.of(0.0, 0.0).zero == 0


@pytest.mark.parametrize("shape", [(12, 8, 1, 1), (8, 1, 5, 5)])
def test_a_convolution_keeps_the_mean_of_what_it_says(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(4)
    weights = rng.normal(size=shape).astype(np.float32)
    bias = rng.normal(size=shape[0]).astype(np.float32)
    measured = seen(max(shape[1], 8))
    scale = MapScale.of(measured.low, measured.high)
    whole = rounded(weights, bias, measured, scale)

    def mean(weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        sums = weights.sum((2, 3))
        return (sums[:, 0] * measured.means if shape[1] == 1 else sums @ measured.means) + bias

    steps = whole.steps[:, None, None, None]
    found = mean(whole.weights * steps, whole.bias * whole.steps * scale.step)
    assert found == pytest.approx(mean(weights, bias), abs=1e-3)
    assert np.abs(whole.weights * steps - weights).max() <= whole.steps.max() / 2 * 1.001
    assert np.abs(whole.weights).max() <= 127


def test_neighbouring_weights_stay_within_16_bits_and_a_lone_one_keeps_all_its_bits() -> None:
    weights = np.zeros((3, 4, 1, 1), np.float32)
    weights[0, :2, 0, 0] = weights[1, 1:3, 0, 0] = 1.0
    weights[2, 0, 0, 0], weights[2, 1, 0, 0] = 1.0, -1.0
    whole = rounded(weights, np.zeros(3, np.float32), seen(4), SCALE)
    flat = whole.weights.reshape(3, 4).astype(int)
    assert flat[0, 0] == flat[0, 1] and 120 <= flat[0, :2].sum() <= 128
    assert list(flat[1]) == [0, 127, 127, 0], "these are in two pairs"
    assert list(flat[2]) == [127, -127, 0, 0], "signs that differ do not add up"


def test_a_channel_that_never_changes_keeps_its_bias() -> None:
    weights, bias = np.zeros((1, 2, 1, 1), np.float32), np.array([5.0], np.float32)
    scale = SCALE
    whole = rounded(weights, bias, seen(2), scale)
    assert whole.bias * whole.steps * scale.step == pytest.approx([5.0])


def test_calibration_pictures_follow_from_the_seed(archives: Path) -> None:
    photos = find_photos(archives)
    first, again = (calibration_pictures(photos, 7) for _ in range(2))
    assert len(first) == len(photos)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert {side % 32 for picture in first for side in picture.shape[:2]} == {0}


def test_large_products_in_8_bits_say_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "LARGE", 1000)
    torch.manual_seed(0)
    head = Head().eval()
    rows = torch.randn(50, 64)
    model = traced(head, head.run, {"rows": rows}, {"rows": {0: "boxes"}}, ("out",))
    feed = {"rows": rows.numpy()}
    near = products.products_in_8_bits(model, [feed])
    assert [node.op_type for node in near.graph.node].count("MatMulInteger") == 2
    exact, found = (
        InferenceSession(each.SerializeToString()).run(None, feed)[0] for each in (model, near)
    )
    assert not np.array_equal(exact, found)
    assert np.linalg.norm(exact - found) < 0.03 * np.linalg.norm(exact)


class Head(nn.Module):
    """Two large products of the same rows, one with a bias, and a small one."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.direct = nn.Linear(64, 32), nn.Linear(64, 16, bias=False)
        self.out = nn.Linear(32, 16)

    def run(self, rows: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.out(self.hidden(rows).relu()) + self.direct(rows)
        return out
