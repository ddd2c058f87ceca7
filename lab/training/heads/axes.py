"""The axes along which rows differ most: the same cosines, nearly, in fewer numbers."""

from __future__ import annotations

import torch


def principal(rows: torch.Tensor, count: int) -> torch.Tensor:
    """Return the axes (count, dim) of L2 norm 1 that tell most of rows (N, dim), in that order.

    Nothing is centred: what is compared later is the rows' cosine. Signs are chosen so that an
    axis's own numbers sum up to something positive, and so are the same everywhere.
    """
    rows = rows.double()
    _, vectors = torch.linalg.eigh(rows.T @ rows)
    axes = vectors.flip(1)[:, :count].T
    signs = torch.where(axes.sum(1, keepdim=True) < 0, -1.0, 1.0)
    turned: torch.Tensor = (axes * signs).float().contiguous()
    return turned
