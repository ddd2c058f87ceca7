"""What `lab.bench.gpu` indexes with: drawn photos in memory, networks with random weights."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml  # type: ignore[import-untyped]

from common.catalogue import ImageRecord
from common.jobs import Item
from lab.bench.drawn import drawn_photo
from worker.indexing.batch import Batch
from worker.models.checkpoint import Checkpoint
from worker.models.clip import ClipEncoder
from worker.models.yolov5 import YoloV5Detector


@dataclass
class Stores:
    """What the pipeline reads and writes, in memory and in a folder."""

    files: dict[str, bytes]
    records: dict[str, ImageRecord]
    folder: Path
    written: int = 0

    def open(self, key: str) -> bytes:
        """Return an image's bytes, as an ImageStore does."""
        return self.files[key.split("/")[-2]]

    def get(self, collection: str, image_id: str) -> ImageRecord:
        """Return an image's record, as the Catalogue does."""
        return self.records[image_id]

    def commit(self, batch: Batch) -> None:
        """Leave a batch as a file, as a worker beside an embedded index does."""
        (self.folder / f"{self.written}.npz").write_bytes(batch.to_bytes())
        self.written += 1

    def confirm(self, job_id: str, collection: str, images: Mapping[int, str]) -> None:
        """Look for images that are indexed already, of which there are none."""

    def finish_items(self, job_id: str, items: Sequence[Item]) -> None:
        """End items, of which there are none to be told."""


def drawn_stores(count: int, width: int, height: int, folder: Path) -> Stores:
    """Return stores with so many drawn photos; a few are drawn, the rest are the same again."""
    contents = []
    for seed in range(min(count, 16)):
        buffer = io.BytesIO()
        drawn_photo(seed, width, height).save(buffer, "JPEG", quality=88)
        contents.append(buffer.getvalue())
    files = {f"photo{n}": contents[n % len(contents)] for n in range(count)}
    records = {
        name: ImageRecord(name, "c", name, "image/jpeg", width, height, len(content), {})
        for name, content in files.items()
    }
    return Stores(files, records, folder)


def random_clip(device: torch.device, dtype: torch.dtype) -> ClipEncoder:
    """Return a network of the size of CLIP ViT-B/32, as `standard` loads it on the device."""
    from transformers import CLIPImageProcessor, CLIPVisionConfig

    from lab.evaluation.references import save_random
    from worker.models.clip_boxes import GpuClipEncoder

    kind = ClipEncoder if device.type == "cpu" else GpuClipEncoder
    with tempfile.TemporaryDirectory() as scratch:
        save_random(CLIPVisionConfig(), Path(scratch))
        CLIPImageProcessor().save_pretrained(scratch)
        return kind(Path(scratch), device, name="random", dtype=dtype)


def random_yolov5s(device: torch.device, dtype: torch.dtype) -> YoloV5Detector:
    """Return a network of the size of YOLOv5s; it finds nothing, or anything."""
    from worker.models.yolov5_import import import_yolov5

    package = import_yolov5()
    path = Path(package.__file__).parent / "yolov5s.yaml"
    names = tuple(f"thing {n}" for n in range(80))
    network = package.DetectionModel(path, ch=3, nc=len(names))
    architecture = yaml.safe_load(path.read_text(encoding="ascii", errors="ignore"))
    checkpoint = Checkpoint(network.state_dict(), architecture, names)
    return YoloV5Detector(checkpoint, device, batch_size=16, dtype=dtype)
