"""Kernels over pictures, against the same written plainly."""

from __future__ import annotations

import _ctypes
import ctypes
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import InvalidSettings
from common.kernels import built, targets
from tests.textures import texture
from worker.local import scales, surroundings
from worker.native import library as loading
from worker.native.arrays import Floats, Levels
from worker.native.pictures import Spots, extrema

PREFIX = Path(loading.sys.prefix)


@pytest.fixture(params=targets())
def each_build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with the kernels of each kind of processor."""
    if request.param != targets()[0] and loading._target() != request.param:
        pytest.skip("this processor has no AVX2")
    kernels = loading.load(built(request.param, PREFIX))
    monkeypatch.setattr("worker.native.pictures.library", lambda: kernels)
    return str(request.param)


def octave(seed: int) -> list[Levels]:
    grey = np.asarray(texture(seed).convert("L"), np.int16) * np.int16(scales.GREY)
    sigmas = [scales.SIGMA * 2 ** (n / scales.SCALES) for n in range(6)]
    return [cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in sigmas]


def peaks(differences: Floats, least: float) -> set[int]:
    """Return the flat places that none of their 26 neighbours exceeds, one by one."""
    found = set()
    layers, height, width = differences.shape
    for layer in range(1, layers - 1):
        for y in range(5, height - 5):
            for x in range(5, width - 5):
                value = differences[layer, y, x]
                if abs(value) < least:
                    continue
                block = differences[layer - 1 : layer + 2, y - 1 : y + 2, x - 1 : x + 2]
                if (value > 0 and value >= block.max()) or (value < 0 and value <= block.min()):
                    found.add((layer * height + y) * width + x)
    return found


def test_extrema_are_the_peaks_that_their_parabolas_keep(each_build: str) -> None:
    blurred = octave(1)
    differences = np.diff(np.stack(blurred).astype(np.float32), axis=0)
    at, offsets, contrasts = extrema(blurred, 5, 65, 0.0, 1e9)
    assert len(at) > 200 and (np.diff(at) > 0).all()
    assert (np.abs(offsets) <= 0.6).all()
    flat, steps = differences.ravel(), (1, differences.shape[2], differences[0].size)
    for place, offset, contrast in zip(at[::7], offsets[::7], contrasts[::7], strict=True):
        gradient = np.array([(flat[place + s] - flat[place - s]) / 2 for s in steps])
        hessian = np.empty((3, 3))
        for i, a in enumerate(steps):
            hessian[i, i] = flat[place + a] + flat[place - a] - 2 * flat[place]
            for j, b in enumerate(steps[:i]):
                hessian[i, j] = hessian[j, i] = (
                    flat[place + a + b] - flat[place + a - b]
                    - flat[place - a + b] + flat[place - a - b]
                ) / 4  # fmt: skip
        assert offset == pytest.approx(-np.linalg.solve(hessian, gradient), abs=2e-3)
        assert contrast == pytest.approx(abs(flat[place] + gradient @ offset / 2), rel=1e-3)
    known = peaks(differences, 65)
    unmoved = at[(np.abs(offsets) < 0.4).all(axis=1)]
    assert len(set(unmoved.tolist()) & known) >= 0.9 * len(unmoved)
    assert len(known & set(at.tolist())) >= 0.6 * len(known)


def test_contrast_edges_and_border_leave_extrema_out() -> None:
    blurred = octave(2)
    height, width = blurred[0].shape
    every, _, contrasts = extrema(blurred, 5, 65, 0.0, 1e9)
    strong, _, _ = extrema(blurred, 5, 65, float(np.median(contrasts)), 1e9)
    assert set(strong) == set(every[contrasts >= np.median(contrasts)])
    round_ones, _, _ = extrema(blurred, 5, 65, 0.0, 2.0)
    assert 0 < len(round_ones) < 0.9 * len(every) and set(round_ones) <= set(every)
    inner, _, _ = extrema(blurred, 40, 65, 0.0, 1e9)
    x, y = inner % width, inner // width % height
    assert x.min() >= 40 and x.max() < width - 40 and y.min() >= 40 and y.max() < height - 40


def test_a_chequered_picture_has_more_extrema_than_first_had_room() -> None:
    rng = np.random.default_rng(1)
    blurred = [rng.integers(0, 32000, (60, 60)).astype(np.int16) for _ in range(6)]
    flat = [np.full((60, 60), n * 100, np.int16) for n in range(6)]  # equal everywhere: no top
    assert len(extrema(flat, 5, 65, 0.0, 1e9)[0]) == 0
    at, _, _ = extrema(blurred, 5, 1, 0.0, 1e9)
    assert len(at) == len(set(at))


def spots(seed: int, count: int = 200) -> tuple[Spots, scales.Extrema]:
    grey = np.asarray(texture(seed).convert("L"), np.int16) * np.int16(scales.GREY)
    found = scales.extrema(grey, scales.CAMERA_SIGMA)
    found = found.where(np.sort(np.argsort(-found.strengths)[:count]))
    return Spots(found.pictures, found.owners, found.places, found.sigmas), found


def grid(found: scales.Extrema, n: int, side: int, reach: float, angle: float) -> Floats:
    """Read a turned grid around one keypoint, place by place."""
    steps = np.linspace(-reach, reach, side) * found.sigmas[n]
    u, v = np.meshgrid(steps, steps)
    x = found.places[n, 0] + u * np.cos(angle) - v * np.sin(angle)
    y = found.places[n, 1] + u * np.sin(angle) + v * np.cos(angle)
    picture = found.pictures[found.owners[n]].astype(np.float64)
    height, width = picture.shape
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)

    def at(row: object, column: object) -> object:
        return picture[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]  # type: ignore

    over = at(top, left) * (1 - x + left) + at(top, left + 1) * (x - left)
    under = at(top + 1, left) * (1 - x + left) + at(top + 1, left + 1) * (x - left)
    return np.asarray(over * (1 - y + top) + under * (y - top), np.float32)


def gradients(read: Floats) -> tuple[Floats, Floats]:
    falling, rising = read[1:, 1:] - read[:-1, :-1], read[:-1, 1:] - read[1:, :-1]
    return falling + rising, falling - rising


def test_descriptors_are_gradients_summed_by_place_and_direction(each_build: str) -> None:
    own, found = spots(3)
    angles = np.linspace(0, 6.2, len(found)).astype(np.float32)
    described = own.descriptors(angles, 7.5, surroundings._NEARNESS, 0.2, 512.0)
    near = surroundings._NEARNESS.astype(np.float64)
    half = np.sqrt(0.5)
    for n in range(0, len(found), 9):
        along, across = gradients(grid(found, n, 16, 7.5, float(angles[n])))
        towards = [along, (along - across) * half, -across, (-along - across) * half]
        towards += [-one for one in towards]
        shared = [np.maximum(np.minimum(towards[k - 1], towards[(k + 1) % 8]), 0) for k in range(8)]
        bins = np.stack([near.T @ one @ near for one in shared], axis=2).ravel()
        bounded = np.minimum(bins, 0.2 * np.linalg.norm(bins))
        wanted = np.sqrt(bounded / bounded.sum()) * 512
        assert np.abs(described[n] - np.minimum(wanted, 255)).max() < 1.5


def test_keypoints_turn_as_their_gradients_do(each_build: str) -> None:
    _, found = spots(4)
    rows, angles = surroundings.directions(found)
    assert set(rows) == set(range(len(found))) and (np.diff(rows) >= 0).all()
    assert ((angles >= 0) & (angles < 2 * np.pi + 1e-5)).all()
    weights = surroundings._TURN_WEIGHTS
    for n in range(0, len(found), 9):
        x, y = gradients(grid(found, n, 13, 4.5, 0.0))
        strength = np.hypot(x, y).ravel() * weights
        place = np.arctan2(y, x).ravel() % (2 * np.pi) * 36 / (2 * np.pi)
        lower = np.floor(place).astype(int)
        sums = np.bincount(lower % 36, strength * (1 - place + lower), 36)
        sums += np.bincount((lower + 1) % 36, strength * (place - lower), 36)
        smooth = sum(np.roll(sums, k) * w for k, w in ((-2, 1), (-1, 4), (0, 6), (1, 4), (2, 1)))
        best = np.argmax(smooth) * 10
        off = np.abs((np.degrees(angles[rows == n]) - best + 180) % 360 - 180)
        assert off.min() < 10


def test_arrays_with_gaps_or_of_other_numbers_are_refused() -> None:
    own, found = spots(5, 20)
    with pytest.raises(TypeError, match="int16"):
        Spots([one.astype(np.int32) for one in own.pictures], *_rest(own)).descriptors(
            np.zeros(20, np.float32), 7.5, surroundings._NEARNESS, 0.2, 512.0
        )
    with pytest.raises(TypeError, match="contiguous"):
        extrema([one[:, ::2] for one in octave(1)], 5, 65, 0.0, 1e9)
    with pytest.raises(ValueError, match="six pictures"):
        extrema(octave(1)[:5], 5, 65, 0.0, 1e9)
    with pytest.raises(ValueError, match="leaves nothing"):
        extrema([one[:10].copy() for one in octave(1)], 5, 65, 0.0, 1e9)
    with pytest.raises(ValueError, match="not there"):
        Spots(own.pictures, own.owners + 99, own.places, own.sigmas)
    with pytest.raises(ctypes.ArgumentError, match="float32"):
        Spots(own.pictures, own.owners, own.places.astype(np.float64), own.sigmas).turns(
            4.5, surroundings._TURN_WEIGHTS, 0.8
        )
    assert len(found) == 20


def _rest(own: Spots) -> tuple[object, ...]:
    return own.owners, own.places, own.sigmas


def test_kernels_that_are_not_there_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="run `make setup`"):
        loading.load(tmp_path / "kernels.so")
    with pytest.raises(InvalidSettings, match="needle_"):
        loading.load(Path(_ctypes.__file__))  # a library of something else
