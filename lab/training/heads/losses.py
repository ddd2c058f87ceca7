"""What the thing head is trained to do. Pure functions of embeddings of L2 norm 1."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def finding_loss(
    index: torch.Tensor, query: torch.Tensor, temperature: float, smoothing: float = 0.0
) -> dict[str, torch.Tensor]:
    """InfoNCE both ways: a query finds its region among all, a region its queries among all.

    `index` (N, dim), `query` (N, queries, dim), in the same order. The way back counts half;
    `smoothing` of a query's way goes to all regions.
    Source: van den Oord et al. 2018; CLIP's symmetric form (Radford et al. 2021).
    """
    count, queries = query.shape[:2]
    logits = torch.einsum("nqd,md->nqm", query, index) / temperature
    own = torch.arange(count, device=index.device)
    there = F.cross_entropy(
        logits.flatten(0, 1), own.repeat_interleave(queries), label_smoothing=smoothing
    )
    back = logits.permute(2, 0, 1)
    mine = back[own, own]
    missed = torch.logsumexp(back.flatten(1), 1) - torch.logsumexp(mine, 1)
    return {"query finds region": there, "region finds query": 0.5 * missed.mean()}
