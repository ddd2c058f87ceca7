"""How near indexing comes to what the networks alone allow: `python -m lab.bench.gpu`.

For a machine with a GPU (it runs on a CPU as well), with PyTorch and the packages of the workers,
once `python -m machine.setup.kernels` has compiled what they run.
It needs no service, no weights and no photos, and takes some five minutes. The networks are of
`standard`'s sizes, YOLOv5s and CLIP ViT-B/32, with random weights, which take as long; the photos
are drawn. It takes the index pipeline as it is, from stored files to batches written to disk, and
times each stage alone, all of them together, and the forward passes on tensors that lie on the
device: the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from common.jobs import Item
from common.settings import Settings
from lab.bench.stand_ins import Stores, drawn_stores, random_clip, random_yolov5s
from worker.indexing.describing import Describer
from worker.indexing.image import LoadedImage
from worker.indexing.loading import Found, Loader
from worker.indexing.options import IndexOptions
from worker.indexing.pipeline import IndexPipeline
from worker.indexing.proposing import Proposer
from worker.indexing.seeing import CropSeer
from worker.local.vocabulary import Vocabulary
from worker.models.clip import ClipEncoder
from worker.models.device import autocast, resolve_device
from worker.models.precision import resolve_precision
from worker.models.yolov5 import YoloV5Detector

CHUNK = 64
"""Images of one run of the pipeline, as of one task."""
STAGE_S = 60.0
"""A stage goes on for so long at most, however many photos there are."""


@dataclass
class Gauge:
    """Samples of nvidia-smi while it is open: share of time with a kernel, and MiB in use."""

    samples: list[tuple[float, float]] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Gauge:
        if shutil.which("nvidia-smi"):
            query = "--query-gpu=utilization.gpu,memory.used"
            command = [
                "nvidia-smi",
                query,
                "--format=csv,noheader,nounits",
                "-lms",
                "200",
                "-i",
                "0",
            ]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            share, used = line.split(",")
            self.samples.append((float(share) / 100, float(used)))

    def facts(self) -> dict[str, float | None]:
        """Return the mean utilisation and the most memory; None without a GPU."""
        if not self.samples:
            return {"utilisation": None, "gpu_mib": None}
        shares, used = zip(*self.samples, strict=True)
        return {"utilisation": float(np.mean(shares)), "gpu_mib": max(used)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--size", default="640x480", help="of a photo, in pixels")
    parser.add_argument("--regions", type=int, help="most of a photo; the profile's else")
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    facts = measure(asked)
    print(json.dumps(facts, indent=2))
    if asked.json:
        asked.json.write_text(json.dumps(facts, indent=2) + "\n")


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Return photos a second of each stage, of all together and of the forward passes alone."""
    device = resolve_device(asked.device)
    precision = resolve_precision("auto", device)
    settings = Settings.from_env(
        {"NEEDLE_REGIONS_PER_IMAGE": str(asked.regions), "NEEDLE_BATCH_SIZE": "16"}
    )
    encoder = random_clip(device, precision.dtype)
    detector = random_yolov5s(device, precision.dtype)
    width, height = map(int, asked.size.split("x"))
    with tempfile.TemporaryDirectory() as scratch:
        stores = drawn_stores(asked.photos, width, height, Path(scratch))
        proposer = Proposer(detector, settings)
        pipeline = pipeline_of(CropSeer(proposer, encoder), stores, settings)
        return {
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
            "precision": precision.name,
            "cores": pipeline.threads,
            "photo": asked.size,
            **stages(pipeline, stores, encoder, detector, proposer, asked.profile),
        }


def stages(
    pipeline: IndexPipeline,
    stores: Stores,
    encoder: ClipEncoder,
    detector: YoloV5Detector,
    proposer: Proposer,
    profile: str,
) -> dict[str, Any]:
    """Time every stage alone, then the whole, then the limit."""
    options = IndexOptions("job", "c", 0.05, 16, profile, None, 2500)
    items = [Item(n, name, name) for n, name in enumerate(stores.records)]
    found = [Found(item, stores.records[item.name]) for item in items]
    pictures = [loaded(pipeline, each) for each in found[:32]]

    def see(images: Sequence[LoadedImage]) -> list[int]:
        seen = pipeline.seer.see(
            [image.pixels for image in images], profile=profile, confidence_threshold=0.05
        )
        return [len(each.regions) for each in seen]

    def describe(images: Sequence[LoadedImage]) -> list[LoadedImage]:
        return list(pool.map(lambda image: pipeline.describer.described(image, options), images))

    regions = float(np.mean(see(pictures[:2])))  # warms up as well
    views = 1.0 + len(proposer.slices(pictures[0].pixels, proposer.profile(profile)))
    with ThreadPoolExecutor(pipeline.threads) as pool:
        rates = {
            "decode": rate(lambda part: list(pool.map(pipeline.loader.load, part)), found, 64),
            "local features": rate(
                lambda part: list(
                    pool.map(lambda i: pipeline.describer.described(i, options), part)
                ),
                pictures * 8,
                32,
            ),
        }
    rates["networks, with cutting and choosing"] = rate(see, pictures * 64, 16)
    with Gauge() as gauge:
        rates["all together"] = rate(
            lambda part: [each.error for each in pipeline.run(part, options)], items, CHUNK
        )
    forward_s = regions / crops_a_second(encoder) + views / views_a_second(detector)
    return {
        "regions": regions,
        "views": views,
        "photos_a_second": rates,
        "limit_photos_a_second": 1 / forward_s,
        "share_of_limit": rates["all together"] * forward_s,
        **gauge.facts(),
    }


def rate(work: Callable[[Any], Sequence[object]], things: Sequence[Any], at_once: int) -> float:
    """Return how many things a second go through; raises what `work` returns as an error."""
    started = time.perf_counter()
    done = 0
    while done < len(things) and time.perf_counter() - started < STAGE_S:
        part = things[done : done + at_once]
        for outcome in work(part):
            if isinstance(outcome, Exception):
                raise outcome
        done += len(part)
    return done / (time.perf_counter() - started)


def crops_a_second(encoder: ClipEncoder) -> float:
    """Return how many crops the network embeds, prepared and on the device."""
    batch = encoder._pixels([Image.new("RGB", (224, 224))] * encoder._batch_size)
    return len(batch) / passes(lambda: encoder._projected(batch))


def views_a_second(detector: YoloV5Detector) -> float:
    """Return how many squares the network sees, prepared and on the device."""
    device, dtype, count = detector._device, detector._dtype, detector._batch_size
    pixels = torch.zeros((count, 3, detector.side_px, detector.side_px), device=device)
    pixels = pixels.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode(), autocast(device, dtype):
            detector._network(pixels)

    return count / passes(run)


def passes(run: Callable[[], object], least_s: float = 3.0) -> float:
    """Return the seconds of one forward pass, many of them on their way at once."""
    gpu = torch.cuda.is_available()
    for _ in range(2):
        run()
    if gpu:
        torch.cuda.synchronize()
    started, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - started < least_s:
        run()
        count += 1
        if gpu and count % 8 == 0:
            torch.cuda.synchronize()
    if gpu:
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / count


def loaded(pipeline: IndexPipeline, found: Found) -> LoadedImage:
    """Return a decoded photo."""
    image = pipeline.loader.load(found, lambda: pipeline.loader.read(found))
    assert isinstance(image, LoadedImage)
    return image


def pipeline_of(seer: CropSeer, stores: Any, settings: Settings) -> IndexPipeline:
    """Return the index pipeline on these stores."""
    return IndexPipeline(
        loader=Loader(
            images=stores,
            catalogue=stores,
            jobs=stores,
            fetcher=None,  # type: ignore[arg-type]
            max_pixels=settings.max_image_pixels,
        ),
        describer=Describer(Vocabulary.load()),
        seer=seer,
        committer=stores,
        confirmer=stores,
        jobs=stores,
        threads=cores(),
        most_bytes=settings.decoded_bytes,
    )


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
