"""`speed`: photos a second through a pack's networks, against YOLOv5n and CLIP ViT-B/32.

Both sides see the same photos and embed the same boxes, photo by photo in turn: on a shared
machine only the ratio means something. ViT-B/32 has random weights, which take the same time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track

from common import pictures
from common.geometry import Box
from common.settings import Settings
from lab.evaluation.bootstrap import mean_interval
from lab.evaluation.embedder import place
from lab.evaluation.photos import open_photos, read_pixels, spread
from lab.evaluation.references import ImageEncoder, random_vit_b_32
from lab.evaluation.report import cell, plain, write_json
from lab.evaluation.seeing import TimedSeer
from worker.indexing.profiles import profile_of
from worker.indexing.seeing import seer_of
from worker.models.base import DenseEncoder, Detector
from worker.models.packs import LoadedPack, load_pack
from worker.models.yolov5 import load_yolov5

PHOTOS = 16
AGAINST = "YOLOv5n + ViT-B/32"

Seconds = Mapping[str, NDArray[np.float64]]
"""Of each side, for each photo: detecting and encoding, shape (photos, 2)."""


class Side(Protocol):
    """What detects in a photo and embeds boxes of it."""

    def seconds(self, image: Image.Image, boxes: Sequence[Box]) -> tuple[float, float]:
        """Return the seconds of detecting in the photo and of embedding the boxes."""
        ...


@dataclass(frozen=True)
class CropSide:
    """A detector, if there is one, and an encoder of crops."""

    detector: Detector | None
    encoder: ImageEncoder
    threshold: float

    def seconds(self, image: Image.Image, boxes: Sequence[Box]) -> tuple[float, float]:
        """See Side."""
        crops = [pictures.crop(image, box) for box in boxes]
        started = time.perf_counter()
        if self.detector is not None:
            self.detector.detect([image], confidence_threshold=self.threshold)
        between = time.perf_counter()
        self.encoder.encode_images(crops)
        return between - started, time.perf_counter() - between


@dataclass(frozen=True)
class DenseSide:
    """A dense encoder, which sees the photo at so many `pixels` and finds things in its maps."""

    encoder: DenseEncoder
    pixels: int
    threshold: float

    def seconds(self, image: Image.Image, boxes: Sequence[Box]) -> tuple[float, float]:
        """See Side."""
        started = time.perf_counter()
        maps = self.encoder.maps(image, pixels=self.pixels)
        maps.detections(confidence_threshold=self.threshold)
        between = time.perf_counter()
        maps.embeddings(boxes)
        return between - started, time.perf_counter() - between


def run(
    dev: Path, chosen: Settings, yolov5n: Path, most: int, json: Path | None, console: Console
) -> None:
    """Time both sides and show and write the ratio."""
    device, dtype = place(chosen)
    loaded = load_pack(chosen)
    other = load_yolov5(str(yolov5n), device, data_dir=chosen.data_dir, dtype=dtype)
    threshold = chosen.confidence_threshold
    sides: dict[str, Side] = {
        loaded.name: side_of(loaded, chosen),
        AGAINST: CropSide(other, random_vit_b_32(device, dtype), threshold),
    }
    paths = [photo.path for photo in spread(open_photos(dev), most)]
    seer = TimedSeer(seer_of(loaded.encoder, loaded.detector, chosen), chosen)
    spent, regions = measure(paths, seer, sides, console)
    show(spent, regions, loaded.name, console)
    ratio = mean_interval(spent[AGAINST].sum(1) / spent[loaded.name].sum(1))
    facts = {
        "command": "speed",
        "pack": loaded.describe(),
        "against": AGAINST,
        "photos": len(paths),
        "regions_a_photo": regions,
        "seconds_a_photo": {
            name: dict(zip(("detecting", "encoding"), times.mean(0).tolist(), strict=True))
            for name, times in spent.items()
        },
        "ratio_of_totals": _total(spent[AGAINST]) / _total(spent[loaded.name]),
        "mean_ratio_of_a_photo": asdict(ratio),
    }
    write_json(json, facts, console)


def side_of(loaded: LoadedPack, chosen: Settings) -> Side:
    """Return the pack's networks as they are timed."""
    if isinstance(loaded.encoder, DenseEncoder) and loaded.detector is None:
        pixels = profile_of(chosen.profile, chosen, detects=True).pixels
        return DenseSide(loaded.encoder, pixels, chosen.confidence_threshold)
    return CropSide(loaded.detector, loaded.encoder, chosen.confidence_threshold)


def measure(
    paths: Sequence[Path], seer: TimedSeer, sides: Mapping[str, Side], console: Console
) -> tuple[Seconds, float]:
    """Return the seconds of each side, and how many regions a photo has on average."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    counts = []
    for number, path in enumerate(track([paths[0], *paths], "photos", console=console)):
        image = read_pixels(path)
        boxes = [region.box for region in seer.see([image])[0].regions]
        for name in list(sides)[:: 1 if number % 2 else -1]:
            taken = sides[name].seconds(image, boxes)
            if number:  # the first turn, of both, only warms up
                spent[name].append(taken)
        counts.append(len(boxes))
    return {name: np.array(taken) for name, taken in spent.items()}, float(np.mean(counts[1:]))


def show(spent: Seconds, regions: float, pack: str, console: Console) -> None:
    """Print both sides and the ratio."""
    lines = []
    for name, times in spent.items():
        detecting, encoding = times.mean(0)
        speed = len(times) / _total(times)
        lines.append([name, f"{detecting:.3f}", f"{encoding:.3f}", f"{speed:.3f}"])
    header = ["", "detecting, s a photo", "encoding, s a photo", "photos a second"]
    count = len(spent[pack])
    console.print(plain(f"{count} photos, {regions:.0f} regions each", header, lines))
    ratio = _total(spent[AGAINST]) / _total(spent[pack])
    each = mean_interval(spent[AGAINST].sum(1) / spent[pack].sum(1))
    console.print(f"{pack} is {ratio:.2f} times as fast; mean over photos {cell(each)}")


def _total(times: NDArray[np.float64]) -> float:
    return float(times.sum())
