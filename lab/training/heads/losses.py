"""What the embedding heads are trained to do. Pure functions of embeddings of L2 norm 1."""

from __future__ import annotations

import torch
from torch.nn import functional as F

NEVER = -1e4
"""A logit, of what is not to be chosen."""


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


def kind_loss(embeddings: torch.Tensor, kinds: torch.Tensor, temperature: float) -> torch.Tensor:
    """Supervised contrast: what is of one kind attracts, what is of another repels.

    `kinds` are (N,) numbers, -1 unknown: such take no part. Zero where no two share a kind.
    Source: Khosla et al. 2020, the loss with the sum outside the logarithm.
    """
    known = kinds >= 0
    embeddings, kinds = embeddings[known], kinds[known]
    itself = torch.eye(len(kinds), dtype=torch.bool, device=kinds.device)
    alike = (kinds[:, None] == kinds[None]) & ~itself
    logits = (embeddings @ embeddings.T / temperature).masked_fill(itself, NEVER)
    log_share = F.log_softmax(logits, 1).masked_fill(~alike, 0.0)
    partners = alike.sum(1)
    if not partners.any():
        return embeddings.sum() * 0
    return -(log_share.sum(1) / partners.clamp(min=1))[partners > 0].mean()


def neighbours(features: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return to whom each is alike, (N, N): shares that sum to 1, none of it to itself.

    `features` (N, dim) of L2 norm 1; the lower the temperature, the fewer have a share.
    """
    logits = features @ features.T / temperature
    return F.softmax(logits.fill_diagonal_(NEVER), 1)


def neighbour_loss(
    embeddings: torch.Tensor, wanted: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Cross entropy between the neighbours that embeddings have, and those they should have.

    Source: relational distillation as in SEED (Fang et al. 2021), within a batch.
    """
    logits = embeddings @ embeddings.T / temperature
    itself = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    log_shares = F.log_softmax(logits.masked_fill(itself, NEVER), 1)
    return -(wanted * log_shares).sum(1).mean()


def query_neighbour_loss(
    queries: torch.Tensor, embeddings: torch.Tensor, wanted: torch.Tensor, temperature: float
) -> torch.Tensor:
    """The same for a query of each: half of it is like its own region, half like its neighbours."""
    log_shares = F.log_softmax(queries @ embeddings.T / temperature, 1)
    itself = torch.eye(len(wanted), device=wanted.device)
    return -((wanted + itself) / 2 * log_shares).sum(1).mean()
