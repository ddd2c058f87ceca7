"""What the encoder is trained to do. Pure functions of embeddings."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def instance_loss(embeddings: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """InfoNCE: each view finds the other view of its region among all views of the batch.

    `embeddings` are (2 * pairs, dim), L2 norm 1, the second half in the first's order; `scale` is
    the inverse temperature. Source: van den Oord et al. 2018; SimCLR's NT-Xent (Chen et al. 2020).
    """
    count, device = len(embeddings), embeddings.device
    logits = embeddings @ embeddings.T * scale
    logits = logits.masked_fill(torch.eye(count, dtype=torch.bool, device=device), float("-inf"))
    other = torch.arange(count, device=device).roll(count // 2)
    return F.cross_entropy(logits, other)


def kind_loss(embeddings: torch.Tensor, kinds: torch.Tensor, temperature: float) -> torch.Tensor:
    """Supervised contrast: views of one kind attract, those of another repel.

    `kinds` are (pairs,) numbers, -1 unknown: such views take no part. A region's own other view is
    left out, as `instance_loss` has it already. Zero where no two regions share a kind. Source:
    Khosla et al. 2020, the loss with the sum outside the logarithm.
    """
    both = kinds.repeat(2)
    known = both >= 0
    embeddings, both = embeddings[known], both[known]
    region = torch.arange(len(kinds), device=kinds.device).repeat(2)[known]
    same_region = region[:, None] == region[None]
    alike = (both[:, None] == both[None]) & ~same_region
    logits = (embeddings @ embeddings.T / temperature).masked_fill(same_region, float("-inf"))
    log_share = F.log_softmax(logits, 1).masked_fill(~alike, 0.0)
    partners = alike.sum(1)
    if not partners.any():
        return embeddings.sum() * 0
    return -(log_share.sum(1) / partners.clamp(min=1))[partners > 0].mean()
