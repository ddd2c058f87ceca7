"""Boxes that a trained detector gives on the training photos: labels that nobody has to draw."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from lab.training.photos import TrainingPhoto
from worker.models.base import Detection
from worker.models.yolov5 import load_yolov5

CONFIDENCE = 0.15
CHUNK = 64

Boxes = Mapping[str, Sequence[Detection]]
"""A photo's name and its detections, corners in pixels of the photo."""


def teacher_boxes(
    photos: Sequence[TrainingPhoto],
    weights: Path,
    cache: Path,
    device: torch.device,
    dtype: torch.dtype,
) -> Boxes:
    """Return the detections of YOLOv5 `weights` on each photo; the file `cache` keeps them.

    The cache holds the answer for one set of photos; one that lacks a photo is made again.
    """
    if cache.is_file():
        known = _read(cache)
        if all(photo.name in known for photo in photos):
            return known
    detector = load_yolov5(str(weights), device, data_dir=cache.parent, dtype=dtype)
    boxes: dict[str, list[Detection]] = {}
    with tqdm(total=len(photos), desc="teacher", unit="photo") as bar:
        for start in range(0, len(photos), CHUNK):
            chunk = photos[start : start + CHUNK]
            images = [Image.fromarray(photo.pixels) for photo in chunk]
            found = detector.detect(images, confidence_threshold=CONFIDENCE)
            boxes.update({photo.name: hits for photo, hits in zip(chunk, found, strict=True)})
            bar.update(len(chunk))
    cache.parent.mkdir(parents=True, exist_ok=True)
    rows = {name: [asdict(hit) for hit in hits] for name, hits in boxes.items()}
    cache.write_text(json.dumps(rows), encoding="utf-8")
    return boxes


def _read(cache: Path) -> dict[str, list[Detection]]:
    rows = json.loads(cache.read_text(encoding="utf-8"))
    return {name: [Detection(**hit) for hit in hits] for name, hits in rows.items()}
