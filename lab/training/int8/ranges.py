"""What a graph's maps hold, measured on pictures: 8 bits are spread over that."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from lab.training.pictures.photos import Pixels, TrainingPhoto
from worker.models.onepass.scales import MULTIPLE

PICTURES = 96
MOST_PX = 640
LARGEST = 3.0
Feed = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Range:
    """What a map's numbers mostly lie between, zero among them, and the mean of each channel."""

    low: float
    high: float
    means: NDArray[np.float32]


def calibration_pictures(photos: Sequence[TrainingPhoto], seed: int) -> list[Pixels]:
    """Return photos as the network sees them: sides in multiples of 32, at up to thrice their size.

    Training photos are small. Seen as they are, they are dense with detail; enlarged, they are
    as smooth as a part of a large photo.
    """
    rng = random.Random(seed)
    chosen = rng.sample(list(photos), min(PICTURES, len(photos)))
    return [_resized(photo.pixels, rng.uniform(1.0, LARGEST)) for photo in chosen]


def _resized(pixels: Pixels, factor: float) -> Pixels:
    factor = min(factor, MOST_PX / max(pixels.shape[:2]))
    height, width = (
        max(MULTIPLE, math.ceil(side * factor / MULTIPLE) * MULTIPLE) for side in pixels.shape[:2]
    )
    resized: Pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)
    return resized


def outputs(model: Any, names: Sequence[str], feeds: Iterable[Feed]) -> Iterable[list[Any]]:
    """Yield what the named maps of a graph are for each of its inputs."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for feed in feeds:
        yield session.run(list(names), dict(feed))


def ranges(model: Any, names: Sequence[str], feeds: Iterable[Feed]) -> dict[str, Range]:
    """Return the range of each named map, (1, channels, rows, columns).

    Its ends are means over all inputs: the ends of all together would be those of a rare picture,
    and what lies beyond is cut off there. The error that is left was a third smaller so.
    """
    measured = [
        [(min(values.min(), 0), max(values.max(), 0), values.mean((0, 2, 3))) for values in maps]
        for maps in outputs(model, names, feeds)
    ]
    found = {}
    for name, each in zip(names, zip(*measured, strict=True), strict=True):
        low, high, means = (np.mean(part, axis=0) for part in zip(*each, strict=True))
        found[name] = Range(float(low), float(high), means.astype(np.float32))
    return found
