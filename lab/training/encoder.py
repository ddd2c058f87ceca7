"""Trains the encoder: a small CLIP image tower that tells things apart, altered as they may be."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from lab.training.batches import Batch, PairBatches
from lab.training.loop import Part, Recipe, Training
from lab.training.losses import instance_loss, kind_loss
from lab.training.resemblance import Resemblance
from lab.training.run import Run
from worker.models.checkpoint import Checkpoint
from worker.models.device import autocast

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's own; what `preprocessor_config.json` then says."""
SAMPLE = 8
"""Batches that the axes of resemblance are fitted to."""


@dataclass(frozen=True)
class EncoderRecipe(Recipe):
    """Everything that decides the encoder's weights."""

    steps: int = 3700
    pairs: int = 1024
    side_px: int = 96
    patch_px: int = 16
    width: int = 192
    layers: int = 6
    heads: int = 3
    dim: int = 256
    kind_dim: int = 64
    """The last numbers of an embedding that alone are taught kinds."""
    keep: float = 0.6
    """Share of the patches that a view keeps in training (Li et al. 2023, FLIP)."""
    keep_all_from: float = 0.9
    """From this share of the steps on, views keep every patch, as they do in use."""
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    warmup: int = 300
    kind_weight: float = 0.2
    kind_temperature: float = 0.1
    late_from: float = 0.3
    """From this share of the steps on, views hide more."""
    resemblance_weight: float = 1.0


class Number:
    """A parameter by itself, as a part of a run's state."""

    def __init__(self, parameter: torch.nn.Parameter) -> None:
        self._parameter = parameter

    def state_dict(self) -> torch.Tensor:
        """Return its value."""
        return self._parameter.detach()

    def load_state_dict(self, state_dict: torch.Tensor) -> None:
        """Take a value."""
        with torch.no_grad():
            self._parameter.copy_(state_dict)


class EncoderTraining(Training[EncoderRecipe, Batch]):
    """One run: model, scale and optimiser."""

    name: ClassVar[str] = "encoder"

    def __init__(
        self, recipe: EncoderRecipe, run: Run, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__(recipe, run, device, dtype)
        self.model = build_model(recipe, "sdpa" if device.type == "cuda" else "eager")
        torch.nn.Module.to(self.model, device)
        self.log_scale = torch.nn.Parameter(torch.tensor(math.log(10.0), device=device))
        self.optimiser = torch.optim.AdamW(
            [
                {"params": list(self.model.parameters()), "weight_decay": recipe.weight_decay},
                {"params": [self.log_scale], "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            betas=(0.9, 0.98),
        )
        self._mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1)
        self._deviation = torch.tensor(DEVIATION, device=device).view(1, 3, 1, 1)
        self._resume()

    def train(self, batches: PairBatches, teacher: Checkpoint, *, workers: int = 1) -> None:
        """Take the steps that are left, saving on the way; `workers` processes make batches."""
        self._prepare(batches, teacher)
        self.model.train()
        self._take_steps(batches, workers)

    def _parts(self) -> Mapping[str, Part]:
        return {
            "model": self.model,
            "log_scale": Number(self.log_scale),
            "optimiser": self.optimiser,
        }

    def _take_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        views, kinds = (part.to(self.device, non_blocking=True) for part in batch)
        for group in self.optimiser.param_groups:
            group["lr"] = self._paced(self.recipe.learning_rate)
        pixels = (views.float() / 255 - self._mean) / self._deviation
        with autocast(self.device, self.dtype):
            embeddings = embed(self.model, pixels, self._keep(), self._dice())
        embeddings = F.normalize(embeddings.float(), dim=1)
        instance = instance_loss(embeddings, self.log_scale.exp().clamp(max=50))
        kind = kind_loss(
            F.normalize(embeddings[:, -self.recipe.kind_dim :], dim=1),
            kinds,
            self.recipe.kind_temperature,
        )
        alike = self._unlike_teacher(views, embeddings)
        loss = instance + self.recipe.kind_weight * kind + self.recipe.resemblance_weight * alike
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        return {
            "instance": instance.detach(),
            "kind": kind.detach(),
            "resemblance": alike.detach(),
            "found": found_share(embeddings.detach()),
            "scale": self.log_scale.detach().exp(),
        }

    def _prepare(self, batches: PairBatches, teacher: Checkpoint) -> None:
        """Fit what is learnt from the teacher to crops of the run's own first batches."""
        sample = torch.cat([batches[step][0].chunk(2)[0] for step in range(SAMPLE)])
        self.resemblance = Resemblance(
            teacher, sample.to(self.device), self.recipe.kind_dim, self.dtype
        )

    def _unlike_teacher(self, views: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
        """Return how far both views' kind is from what the teacher makes of the first, 0..2."""
        target = self.resemblance(views.chunk(2)[0]).repeat(2, 1)
        return 1 - F.cosine_similarity(embeddings[:, -self.recipe.kind_dim :], target).mean()

    def _keep(self) -> float:
        done = self.step / self.recipe.steps
        return 1.0 if done >= self.recipe.keep_all_from else self.recipe.keep

    def _dice(self) -> torch.Generator:
        """Return the step's own source of chance, so that a run may stop and go on."""
        return torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + self.step)


def build_model(recipe: EncoderRecipe, attention: str = "eager") -> CLIPVisionModelWithProjection:
    """Return the untrained tower.

    On a CPU attention is better written out ("eager"): the backward pass of torch's fused one
    ("sdpa") takes twice the time of the whole step without it. GELU is exact, not CLIP's quick
    one: on a CPU it is one operation instead of two, a fifth of a forward pass.
    """
    config = CLIPVisionConfig(
        hidden_size=recipe.width,
        intermediate_size=4 * recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        image_size=recipe.side_px,
        patch_size=recipe.patch_px,
        projection_dim=recipe.dim,
        hidden_act="gelu",
    )
    config._attn_implementation = attention
    return CLIPVisionModelWithProjection(config)


def embed(
    model: CLIPVisionModelWithProjection,
    pixels: torch.Tensor,
    keep: float,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Return (N, dim) projections, not normalised, of views that keep some of their patches.

    The same as the model's own forward pass where `keep` is 1.
    """
    tower = model.vision_model
    tokens = tower.embeddings(pixels)
    if keep < 1:
        count = tokens.shape[1] - 1
        dice = torch.rand(len(tokens), count, generator=generator).to(tokens.device)
        chosen = dice.topk(round(count * keep)).indices.add(1).sort(1).values
        chosen = chosen[..., None].expand(-1, -1, tokens.shape[2])
        tokens = torch.cat((tokens[:, :1], tokens.gather(1, chosen)), 1)
    hidden = tower.encoder(inputs_embeds=tower.pre_layrnorm(tokens)).last_hidden_state
    projected: torch.Tensor = model.visual_projection(tower.post_layernorm(hidden[:, 0]))
    return projected


def found_share(embeddings: torch.Tensor) -> torch.Tensor:
    """Return how many of the first views have their region's other view as nearest second view."""
    first, second = embeddings.chunk(2)
    nearest = (first @ second.T).argmax(1)
    return (nearest == torch.arange(len(first), device=nearest.device)).float().mean()


def export_encoder(model: CLIPVisionModelWithProjection, side_px: int, folder: Path) -> None:
    """Write the encoder as `transformers` reads it: float16 safetensors and two JSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.nn.Module.half(copied(model)).save_pretrained(folder)
    facts = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"height": side_px, "width": side_px},
        "resample": 3,
        "do_center_crop": False,
        "do_convert_rgb": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(DEVIATION),
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(facts, indent=1) + "\n")


def copied(model: CLIPVisionModelWithProjection) -> CLIPVisionModelWithProjection:
    """Return a copy of the model, its attention left for the loader to choose."""
    config = CLIPVisionConfig(**{**model.config.to_dict(), "attn_implementation": None})
    copy = CLIPVisionModelWithProjection(config)
    copy.load_state_dict(model.state_dict())
    return copy


def parameters(model: torch.nn.Module) -> int:
    """Return how many numbers the model has learnt."""
    return sum(tensor.numel() for tensor in model.parameters())
