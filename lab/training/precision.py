"""Which precision training runs in."""

from __future__ import annotations

import torch

from common.errors import InvalidSettings
from worker.models.precision import Precision, resolve_precision, unless_emulated

ASKED_BY = "--precision or NEEDLE_PRECISION"


def training_precision(requested: str, device: torch.device) -> Precision:
    """Return the precision of `auto`, `float32` or `bfloat16` on the device.

    `auto` is bfloat16 where it is not emulated, else float32. Raises InvalidSettings for float16:
    its gradients vanish unless the loss is scaled, which this training does not do.
    """
    if requested == "float16":
        raise InvalidSettings(
            "Training in float16 needs loss scaling, which this training does not have: set "
            f"{ASKED_BY} to auto, float32 or bfloat16"
        )
    if requested == "auto":
        return unless_emulated(torch.bfloat16, device)
    return resolve_precision(requested, device, asked_by=ASKED_BY)
