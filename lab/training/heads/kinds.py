"""The kind head: nothing is taught, the backbone's own numbers are made fewer.

The mean of the deepest map over a thing tells its kind better than anything that was learnt from it
here, of teachers or of names: ImageNet's categories are what the backbone was trained for.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from lab.training.banks.shards import Bank
from lab.training.heads.axes import principal

LEAST_PX = 40.0
"""Regions that are smaller (root of the area) tell little of kinds."""


def kind_axes(bank: Bank, count: int) -> torch.Tensor:
    """Return the axes (count, DEEP) along which the regions of a bank differ most.

    Raises ValueError where the bank has too few regions.
    """
    rows = np.flatnonzero(bank.whole("side_px") >= LEAST_PX)
    if len(rows) < 2:
        raise ValueError("The bank has no regions to tell kinds of")
    features = torch.from_numpy(bank.whole("index_kind")[rows]).float()
    return principal(F.normalize(features, dim=1), count)
