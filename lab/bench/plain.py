"""The plain pipeline of the tutorials, written plainly: what Needle's figures are held against.

YOLOv5n boxes what it is at least 0.3 sure of, on the photo as a whole; CLIP ViT-B/32 embeds what is
in each box; the vectors go into a store. In float32, one photo at a time, its crops as one batch.
CLIP's weights are random, which takes the same time. Run by `lab.bench.children`.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import qdrant_edge as qe
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from lab.bench.children import answer
from lab.bench.clock import Clock, now, since
from worker.models.yolov5 import load_yolov5

CONFIDENCE = 0.3
DETECT, EMBED, STORE, DECODE = "detector", "encoder", "store", "decode"


class Plain:
    """A detector, an encoder and a store."""

    def __init__(self, weights: Path, scratch: Path) -> None:
        cpu = torch.device("cpu")
        self.detector = load_yolov5(str(weights), cpu, data_dir=scratch, dtype=torch.float32)
        clip: Any = CLIPVisionModelWithProjection(CLIPVisionConfig())
        self.clip: Any = clip.eval()
        self.processor = CLIPImageProcessor()
        size = self.clip.config.projection_dim
        params = qe.EdgeVectorParams(size=size, distance=qe.Distance.Cosine)
        (scratch / "store").mkdir()
        self.store = qe.EdgeShard.create(
            str(scratch / "store"), qe.EdgeConfig(vectors={"": params})
        )

    def index(self, path: Path, clock: Clock) -> int:
        """Index a photo and return how many things were found in it."""
        with clock.lap(DECODE):
            photo = Image.open(path).convert("RGB")
        with clock.lap(DETECT):
            things = self.detector.detect([photo], confidence_threshold=CONFIDENCE)[0]
        if not things:
            return 0
        with clock.lap(EMBED):
            crops = [
                photo.crop((t.x1, t.y1, max(t.x2, t.x1 + 1), max(t.y2, t.y1 + 1))) for t in things
            ]
            vectors = self.embed(crops)
        with clock.lap(STORE):
            points = [
                qe.Point(str(uuid.uuid4()), vector.tolist(), {"photo": path.name, "label": t.label})
                for t, vector in zip(things, vectors, strict=True)
            ]
            self.store.update(qe.UpdateOperation.upsert_points(points))
            self.store.flush()
        return len(things)

    def embed(self, crops: list[Image.Image]) -> torch.Tensor:
        """Return the crops' vectors, of length 1."""
        pixels = self.processor(images=crops, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            vectors: torch.Tensor = self.clip(pixel_values=pixels).image_embeds
        return torch.nn.functional.normalize(vectors, dim=-1)

    def search(self, crop: Image.Image) -> list[str]:
        """Return the photos whose things are most like the crop."""
        vector = self.embed([crop])[0].tolist()
        request = qe.QueryRequest(limit=20, query=qe.Query.Nearest(vector), with_payload=True)
        return [str((point.payload or {})["photo"]) for point in self.store.query(request)]


def measure(order: Mapping[str, Any]) -> dict[str, Any]:
    """Index each sample, and search; the first photo, which warms up, is not counted."""
    with tempfile.TemporaryDirectory() as scratch:
        plain = Plain(Path(order["weights"]), Path(scratch))
        queries = [
            Image.open(BytesIO(bytes.fromhex(raw))).convert("RGB") for raw in order["queries"]
        ]
        runs = {size: _indexed(plain, paths) for size, paths in order["samples"].items()}
        return {"runs": runs, "search_ms": [_searched(plain, query) for query in queries]}


def _indexed(plain: Plain, paths: list[str]) -> dict[str, Any]:
    plain.index(Path(paths[0]), Clock())
    clock, started = Clock(), now()
    things = sum(plain.index(Path(path), clock) for path in paths)
    return {"spent": asdict(since(started)), "laps": clock.as_json(), "things": things}


def _searched(plain: Plain, query: Image.Image) -> float:
    started = time.perf_counter()
    plain.search(query)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    answer(measure)
