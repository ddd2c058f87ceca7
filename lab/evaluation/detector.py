"""`detector`: how many of the labelled things detectors find, and how fast.

As a source of regions a detector need not name what it finds, hence the class-agnostic figures.
Where not everything in a photo is labelled (logos, covers, shelves), precision says nothing and
recall is what to read.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from common.settings import Settings
from lab.evaluation.embedder import SEEN_PIXELS, place
from lab.evaluation.matching import Judged, average_precision, judge, recall
from lab.evaluation.photos import Photo, open_photos, read_pixels, spread
from lab.evaluation.questions import BOX_SET
from lab.evaluation.report import plain, write_json
from worker.models.base import Detection, Detector
from worker.models.dense import MapsDetector
from worker.models.onepass.loading import is_onepass, load_onepass
from worker.models.yolov5 import load_yolov5

LEAST_CONFIDENCE = 0.001
"""Average precision needs the tail; times are taken at the service's own threshold."""
BEST = (10, 30, 100)
OVERLAPS = (0.5, 0.75)
TIMED = 8
"""Every so many photos one is timed."""

Found = list[list[Detection]]


def run(
    dev: Path,
    settings: Settings,
    weights: Sequence[Path],
    most: int | None,
    json: Path | None,
    console: Console,
) -> None:
    """Measure the weights side by side, and show and write what came out."""
    photos = spread([photo for photo in open_photos(dev) if photo.boxes], most)
    detectors = {str(path): load(path, settings) for path in weights}
    found, spent = detect(photos, detectors, console)
    results = {name: figures(photos, found[name]) for name in detectors}
    console.print(table(results))
    for name, ms in spent.items():
        console.print(f"{name}: {ms:.1f} ms a photo, one at a time")
    facts: dict[str, Any] = {
        "command": "detector",
        "photos": len(photos),
        "detectors": {name: detector.id for name, detector in detectors.items()},
        "ms_a_photo": spent,
        "figures": results,
    }
    write_json(json, facts, console)


def load(path: Path, settings: Settings) -> Detector:
    """Load a network's folder, or a file of YOLOv5 weights. Raises InvalidModel."""
    if is_onepass(path):
        network = load_onepass(
            path,
            device=settings.device,
            precision=settings.precision,
            threads=settings.threads,
        )
        return MapsDetector(network, SEEN_PIXELS)
    device, dtype = place(settings)
    with tempfile.TemporaryDirectory() as scratch:
        return load_yolov5(str(path), device, data_dir=Path(scratch), batch_size=1, dtype=dtype)


def detect(
    photos: Sequence[Photo], detectors: Mapping[str, Detector], console: Console
) -> tuple[dict[str, Found], dict[str, float]]:
    """Return each detector's detections of all photos, and its median milliseconds a photo.

    The detectors take turns on each photo, so that what else the machine does hits them alike.
    """
    threshold = Settings.model_fields["confidence_threshold"].default
    found: dict[str, Found] = {name: [] for name in detectors}
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for number, photo in enumerate(track(photos, "photos", console=console)):
        image = read_pixels(photo.path)
        for name, detector in detectors.items():
            found[name] += detector.detect([image], confidence_threshold=LEAST_CONFIDENCE)
        for name, detector in detectors.items() if number % TIMED == 0 else ():
            times[name].append(_timed(detector, image, threshold))
    return found, {name: 1000 * float(np.median(taken)) for name, taken in times.items()}


def figures(photos: Sequence[Photo], found: Found) -> dict[str, dict[str, float]]:
    """Return the figures by set of photos and of all; those by label where labels are kinds."""
    pairs = list(zip(photos, found, strict=True))
    sets = sorted({photo.set for photo in photos})
    result = {}
    for name in sets:
        own = [pair for pair in pairs if pair[0].set == name]
        result[name] = dict(_agnostic(own))
        if name == BOX_SET or len(sets) == 1:
            result[name] |= _by_label(own)
    return result if len(sets) == 1 else {"all": dict(_agnostic(pairs)), **result}


def table(results: Mapping[str, dict[str, dict[str, float]]]) -> Table:
    """Return the figures: a line for each set and figure, a column for each detector."""
    stems = {Path(name).stem for name in results}
    short = [Path(name).stem if len(stems) == len(results) else name for name in results]
    header = ["photos", "figure", *short]
    first = next(iter(results.values()))
    lines = [
        [set_name, what, *(f"{result[set_name][what]:.3f}" for result in results.values())]
        for set_name, own in first.items()
        for what in own
    ]
    return plain("Labelled boxes found", header, lines)


Pairs = Sequence[tuple[Photo, list[Detection]]]


def _agnostic(pairs: Pairs) -> Iterator[tuple[str, float]]:
    judged: dict[float, list[Judged]] = {
        at: [judge(hits, photo.boxes, at) for photo, hits in pairs] for at in OVERLAPS
    }
    for at in OVERLAPS:
        for best in BEST:
            yield f"recall of the best {best}, IoU {at}", recall(judged[at], best)
    yield "class-agnostic AP, IoU 0.5", average_precision(judged[0.5])


def _by_label(pairs: Pairs) -> dict[str, float]:
    """Return the mean over the photos' labels; NaN where the detector never says one of them.

    A label that it does not know counts as 0, so that detectors of few labels gain nothing.
    """
    labels = {_word(box.label) for photo, _ in pairs for box in photo.boxes}
    said = {_word(hit.label) for _, hits in pairs for hit in hits}
    if not labels & said:
        return {"mAP, IoU 0.5": float("nan")}
    precisions = [_precision(pairs, label) for label in sorted(labels)]
    return {"mAP, IoU 0.5": float(np.nanmean(precisions))}


def _precision(pairs: Pairs, label: str) -> float:
    judged = []
    for photo, hits in pairs:
        of_label = [hit for hit in hits if _word(hit.label) == label]
        boxes = [box for box in photo.boxes if _word(box.label) == label]
        judged.append(judge(of_label, boxes, 0.5))
    return average_precision(judged)


def _word(label: str) -> str:
    """Return a label as every source spells it: COCO says `wine glass`, others `wine_glass`."""
    return label.replace("_", " ").casefold()


def _timed(detector: Detector, image: Image.Image, threshold: float) -> float:
    started = time.perf_counter()
    detector.detect([image], confidence_threshold=threshold)
    return time.perf_counter() - started
