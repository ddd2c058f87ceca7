"""The CLIP encoder, through transformers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    CLIPModel,
    CLIPVisionModelWithProjection,
)
from transformers.utils import logging as transformers_logging

from common.errors import InvalidModel, TextNotSupported
from worker.models.base import Embeddings
from worker.models.batches import map_batches
from worker.models.clip_pixels import ClipPixels
from worker.models.device import autocast, to_inference
from worker.models.files import sha256_of
from worker.models.hub import download_checkpoint, is_complete
from worker.models.precision import resolve_precision

_NETWORKS = {"clip": CLIPModel, "clip_vision_model": CLIPVisionModelWithProjection}
"""The network of each `model_type`: both sides, or the image side alone."""

_PREPROCESSING = ("preprocessor_config.json", "processor_config.json")


class ClipEncoder:
    """Embeds images, and texts where the checkpoint has a text side, with CLIP; an `Encoder`.

    The method is that of Radford et al., "Learning Transferable Visual Models From Natural
    Language Supervision" (2021). Safe to use from several threads, which take turns.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        *,
        name: str | None = None,
        batch_size: int = 64,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Load a checkpoint's safetensors, configuration and preprocessing from a folder.

        `name` begins the id and is the folder's unless given; without a `dtype` the network runs
        in that of `auto`. Raises InvalidModel where the folder holds no complete CLIP checkpoint.
        """
        self._device = device
        self._dtype = dtype or resolve_precision("auto", device).dtype
        self._batch_size = batch_size
        self._lock = threading.Lock()
        network = _load_network(folder)
        self.id = f"{name or folder.name}:{_checkpoint_sha256(folder)[:12]}"
        self.dim: int = network.config.projection_dim
        self.kind_dim = 0
        self.has_text: bool = isinstance(network, CLIPModel)
        self._context_length, self._tokenizer = 0, None
        if self.has_text:
            self._context_length = network.config.text_config.max_position_embeddings
            self._tokenizer = _load_tokenizer(folder, network.config.text_config.vocab_size)
        self._pixels = _load_pixels(folder, device, _image_side(network))
        self._network: Any = to_inference(network, device, self._dtype)

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images of any sizes, shape (N, dim), L2 norm 1.

        An embedding does not depend on the other images. Raises DeviceUnavailable where the GPU
        has too little memory for a single image.
        """
        return self._stack(map_batches(self._image_batch, images, self._batch_size))

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 embeddings of texts, shape (N, dim), L2 norm 1.

        What goes beyond the network's context (77 tokens) is cut off. Raises TextNotSupported
        where the checkpoint is an image side alone.
        """
        if not self.has_text:
            raise TextNotSupported(
                f"The encoder {self.id} has no text side: set NEEDLE_MODELS=standard, or "
                "NEEDLE_ENCODER to a CLIP checkpoint that has one, and index the images again"
            )
        return self._stack(map_batches(self._text_batch, texts, self._batch_size))

    def _image_batch(self, images: Sequence[Image.Image]) -> list[Embeddings]:
        return _normalised(self._projected(self._pixels(images)))

    def _projected(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the embeddings, not normalised, of what `ClipPixels` makes, on the device."""
        with self._lock, torch.inference_mode(), autocast(self._device, self._dtype):
            if self.has_text:
                projected = self._network.get_image_features(pixel_values=pixels).pooler_output
            else:
                projected = self._network(pixel_values=pixels).image_embeds
        embeds: torch.Tensor = projected
        return embeds

    def _text_batch(self, texts: Sequence[str]) -> list[Embeddings]:
        tokens = self._tokenizer(  # type: ignore[misc]
            list(texts),
            # Always the whole context: padding to the longest would let texts of a batch differ.
            padding="max_length",
            truncation=True,
            max_length=self._context_length,
            return_tensors="pt",
        ).to(self._device)
        with self._lock, torch.inference_mode(), autocast(self._device, self._dtype):
            projected = self._network.get_text_features(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            ).pooler_output
        return _normalised(projected)

    def _stack(self, rows: list[Embeddings]) -> Embeddings:
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)


def find_clip(encoder: str) -> tuple[Path, str]:
    """Return the folder of a checkpoint and its short name, for a folder or a name on the hub.

    Raises InvalidModel or ModelUnavailable where the hub's checkpoint cannot be had.
    """
    folder = Path(encoder)
    if folder.is_dir():
        # Every pack has an `encoder`: the pack's name tells them apart.
        own = folder.resolve()
        return folder, f"{own.parent.name}-encoder" if own.name == "encoder" else own.name
    ways_out = (
        "set NEEDLE_ENCODER to a folder with a CLIP checkpoint (config.json, "
        "preprocessor_config.json, model.safetensors), or set NEEDLE_MODELS=mini, which needs "
        "no download"
    )
    return download_checkpoint(encoder, ways_out=ways_out), encoder.split("/")[-1]


def _load_network(folder: Path) -> Any:
    if not is_complete(folder):
        raise InvalidModel(
            f"{folder} is no CLIP checkpoint: it needs config.json, preprocessor_config.json and "
            "model.safetensors"
        )
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
        network_class: Any = _NETWORKS.get(kind)
        if network_class is None:
            raise InvalidModel(f"{folder} holds a network of type {kind!r}, not CLIP")
        with _no_progress_bar():
            network, report = network_class.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except InvalidModel:
        raise
    except Exception as exc:  # broken files raise anything
        raise InvalidModel(f"The CLIP checkpoint in {folder} cannot be loaded: {exc}") from exc
    # Transformers fills what is missing with random numbers.
    if report["missing_keys"] or report["mismatched_keys"]:
        raise InvalidModel(f"The CLIP checkpoint in {folder} lacks some of its network's weights")
    return network


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _load_pixels(folder: Path, device: torch.device, image_side: Any) -> ClipPixels:
    try:
        automatic: Any = AutoImageProcessor
        pixels = ClipPixels(automatic.from_pretrained(folder, local_files_only=True), device)
        made = tuple(pixels([Image.new("RGB", (31, 47)), Image.new("RGB", (5, 3))]).shape[1:])
    except Exception as exc:  # broken files raise anything
        raise InvalidModel(f"The preprocessing in {folder} cannot be used: {exc}") from exc
    wanted = (3, image_side.image_size, image_side.image_size)
    if made != wanted:
        raise InvalidModel(
            f"The preprocessing in {folder} makes {made}, the network takes {wanted}"
        )
    return pixels


def _load_tokenizer(folder: Path, vocabulary: int) -> Any:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        tokens = tokenizer("a photo")["input_ids"]
    except Exception as exc:  # broken files raise anything
        raise InvalidModel(f"The tokenizer in {folder} cannot be loaded: {exc}") from exc
    # Without its files, transformers makes a tokenizer that knows its two special tokens only.
    if len(tokenizer) > vocabulary or len(set(tokens)) < 3:
        raise InvalidModel(f"The tokenizer in {folder} does not belong to the network")
    return tokenizer


def _image_side(network: Any) -> Any:
    """Return the image side's configuration."""
    return network.config.vision_config if isinstance(network, CLIPModel) else network.config


def _checkpoint_sha256(folder: Path) -> str:
    weights = sorted(folder.glob("model*.safetensors"))
    return sha256_of([*weights, *(folder / n for n in _PREPROCESSING if (folder / n).is_file())])


def _normalised(projected: torch.Tensor) -> list[Embeddings]:
    return list(nn.functional.normalize(projected.float(), dim=-1).cpu().numpy())
