"""Which device the networks run on, and how they are put on it."""

from __future__ import annotations

import re

import torch
from torch import nn

from common.errors import DeviceUnavailable


def resolve_device(requested: str) -> torch.device:
    """Return the torch device for `auto`, `cpu`, `cuda` or `cuda:N`.

    `auto` is the first GPU, or the CPU where there is none. Raises DeviceUnavailable where the
    GPU asked for is not there, or the name is none of these.
    """
    if requested == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if requested == "auto":
        return torch.device("cuda", 0) if count else torch.device("cpu")
    found = re.fullmatch(r"cuda(?::(\d+))?", requested)
    if found is None:
        raise DeviceUnavailable(
            f"NEEDLE_DEVICE={requested!r} is no device: set it to auto, cpu, cuda or cuda:N"
        )
    index = int(found.group(1) or 0)
    if index >= count:
        raise DeviceUnavailable(
            f"NEEDLE_DEVICE={requested} asks for GPU number {index}, but torch sees "
            f"{_how_many(count)}: set NEEDLE_DEVICE to cpu or auto"
            + (f", or to a number below {count}" if count else "")
            + ".",
            gpus=count,
        )
    return torch.device("cuda", index)


def to_inference(network: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Prepare a float32 network for `autocast(device, dtype)` and return it.

    Linear and convolution weights are rounded to `dtype` once; autocast would do the same
    rounding in every forward pass, which for a single query costs a sixth of it. All else, the
    norms among it, stays float32.
    """
    network.requires_grad_(False).eval()
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.to(dtype)
    return network.to(device)


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a CPU tensor on the device; to a GPU it is copied while the caller goes on."""
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Return the context in which a network from `to_inference` runs."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


def _how_many(count: int) -> str:
    return {0: "no GPU", 1: "1 GPU"}.get(count, f"{count} GPUs")
