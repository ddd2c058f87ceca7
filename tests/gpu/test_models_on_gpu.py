"""The networks on a GPU give what they give on the CPU, within half precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common.geometry import Box
from tests.assets import CROP_ENCODER, MINI, shared_file, shared_photo
from worker.models.clip import ClipEncoder
from worker.models.onepass.loading import load_onepass
from worker.models.yolov5 import load_yolov5

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def test_embeddings_agree_with_the_cpu() -> None:
    rng = np.random.default_rng(1)
    images = [
        Image.fromarray(rng.integers(0, 256, (6, 5, 3), np.uint8)).resize((50 + 9 * i, 80))
        for i in range(20)
    ]
    expected = ClipEncoder(CROP_ENCODER, CPU, dtype=torch.float32).encode_images(images)
    found = ClipEncoder(CROP_ENCODER, GPU, batch_size=8).encode_images(images)
    assert (found * expected).sum(1).min() > 0.999


def test_the_network_agrees_with_the_one_that_a_cpu_runs() -> None:
    """Where the GPU is the default: half precision against ONNX Runtime's float32."""
    photo = shared_photo("bus.jpg")
    boxes = [Box(0, 0, *photo.size), Box(50, 300, 350, 900), Box(600, 400, 700, 500)]
    on_cpu = load_onepass(MINI, device="cpu", precision="float32")
    on_gpu = load_onepass(MINI, device="cuda")
    pairs = [
        [one.maps(photo, pixels=1_000_000).embeddings(boxes) for one in (on_cpu, on_gpu)],
        [one.encode_images([photo.crop((50, 300, 350, 900))]) for one in (on_cpu, on_gpu)],
    ]
    assert all((first * second).sum(1).min() > 0.999 for first, second in pairs)


def test_detections_agree_with_the_cpu(tmp_path: Path) -> None:
    weights = str(shared_file("weights/yolov5n.safetensors"))
    photos = [shared_photo("bus.jpg"), shared_photo("cat-bird.jpeg")]
    on_cpu, on_gpu = (
        load_yolov5(weights, device, data_dir=tmp_path).detect(photos, confidence_threshold=0.35)
        for device in (CPU, GPU)
    )
    for expected, found in zip(on_cpu, on_gpu, strict=True):
        assert {d.label for d in expected} == {d.label for d in found}
