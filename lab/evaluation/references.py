"""Encoders that know nothing: what a trained one has to beat."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from worker.models.base import Embeddings
from worker.models.clip import ClipEncoder, find_clip
from worker.models.onepass.encoder import OnePassEncoder
from worker.models.onepass.heads import Network, Sizes
from worker.models.onepass.loading import FACTS, WEIGHTS, is_onepass
from worker.models.onepass.torch_engine import TorchEngine

SEED = 0
_PREPROCESSING = ("preprocessor_config.json", "processor_config.json")


class ImageEncoder(Protocol):
    """The part of an `Encoder` that is measured."""

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images, shape (N, dim), each of L2 norm 1."""
        ...


class PixelEncoder:
    """The crop at 8 x 8 pixels, less its mean: shape and shade, and where they are."""

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images, shape (N, 192), each of L2 norm 1."""
        small = [np.asarray(image.resize((8, 8), Image.Resampling.BOX)) for image in images]
        flat = np.stack(small).reshape(len(small), -1).astype(np.float32)
        return _normalised(flat - flat.mean(axis=1, keepdims=True))


class ColourEncoder:
    """How much there is of each of 4 x 4 x 4 RGB colours, wherever it is."""

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images, shape (N, 64), each of L2 norm 1."""
        return _normalised(np.stack([self._histogram(image) for image in images]))

    def _histogram(self, image: Image.Image) -> Embeddings:
        # Pixels left out, never mixed: mixed ones would be of colours that are not there.
        side = (min(64, image.width), min(64, image.height))
        pixels = np.asarray(image.resize(side, Image.Resampling.NEAREST)) >> 6
        bins = pixels.astype(np.int64) @ np.array([16, 4, 1])
        return np.bincount(bins.ravel(), minlength=64).astype(np.float32)


def references(like: str, device: torch.device) -> dict[str, ImageEncoder]:
    """Return the three references by name.

    `like` is what one of them is shaped after: a network's folder, a CLIP folder, or a CLIP of the
    hub.
    """
    untrained: ImageEncoder = (
        random_network(Path(like))
        if is_onepass(Path(like))
        else random_clip(find_clip(like)[0], device)
    )
    return {"pixels 8x8": PixelEncoder(), "colours": ColourEncoder(), "untrained": untrained}


def random_network(like: Path) -> OnePassEncoder:
    """Return a network of the sizes of a folder's, with random weights, backbone and all."""
    sizes = Sizes(**json.loads((like / FACTS).read_text(encoding="utf-8"))["sizes"])
    with tempfile.TemporaryDirectory() as scratch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        save_file(Network(sizes).state_dict(), Path(scratch) / WEIGHTS)
        shutil.copy(like / FACTS, scratch)
        engine = TorchEngine(Path(scratch), torch.device("cpu"), torch.float32)
    return OnePassEncoder(engine, name="untrained", dims=(sizes.thing, sizes.kind))


def random_clip(like: Path, device: torch.device) -> ClipEncoder:
    """Return a CLIP of a folder's architecture and preprocessing, with random weights.

    In float32: the embeddings of an untrained network differ by less than bfloat16 can tell.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        save_random(_vision_config(like), folder)
        for name in _PREPROCESSING:
            if (like / name).is_file():
                shutil.copy(like / name, folder / name)
        return ClipEncoder(folder, device, name="random", dtype=torch.float32)


def random_vit_b_32(device: torch.device, dtype: torch.dtype) -> ClipEncoder:
    """Return a network of the size of CLIP ViT-B/32, as fast as the real one and as untrained."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        save_random(CLIPVisionConfig(), folder)  # transformers' defaults are ViT-B/32
        CLIPImageProcessor().save_pretrained(folder)
        return ClipEncoder(folder, device, name="vit-b-32-random", dtype=dtype)


def save_random(config: CLIPVisionConfig, folder: Path) -> None:
    """Write a network with random weights, always the same ones, as safetensors."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network: Any = CLIPVisionModelWithProjection(config)
    config.save_pretrained(folder)
    save_file(network.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})


def _vision_config(folder: Path) -> CLIPVisionConfig:
    facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if facts.get("model_type") != "clip":
        return CLIPVisionConfig.from_pretrained(folder)
    both: Any = CLIPConfig.from_pretrained(folder)
    image_side: CLIPVisionConfig = both.vision_config
    image_side.projection_dim = both.projection_dim
    return image_side


def _normalised(rows: Embeddings) -> Embeddings:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Embeddings = rows / np.maximum(norms, np.float32(1e-12))
    return unit
