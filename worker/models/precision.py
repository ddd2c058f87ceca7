"""Which precision torch runs networks in, and why.

A precision that the machine has no instructions for is emulated, many times slower than float32:
it is used where it is asked for, never by choice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from common.errors import InvalidSettings

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_INSTRUCTIONS = {
    torch.bfloat16: ("amx_bf16", "avx512_bf16", "bf16"),
    torch.float16: ("amx_fp16", "avx512_fp16", "fp16_arith"),
}
"""CPU capabilities, as torch names them (x86, x86, ARM), that compute in a dtype."""
_CAPS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""The variables, the first before the second, that keep oneDNN from a CPU's newer instructions.

torch hands it the convolutions and matrix products, whatever the cap: it then emulates.
"""
_NO_BF16 = frozenset(
    ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
)
_CAPPED_BY = {torch.bfloat16: _NO_BF16, torch.float16: _NO_BF16 | {"AVX512_CORE_BF16"}}
"""Values of the cap without instructions for a dtype; every other value leaves them."""


@dataclass(frozen=True)
class Precision:
    """What the networks compute in; the reason is a phrase for the log."""

    dtype: torch.dtype
    reason: str

    @property
    def name(self) -> str:
        """`float32`, `bfloat16` or `float16`."""
        return str(self.dtype).removeprefix("torch.")


def resolve_precision(
    requested: str, device: torch.device, *, asked_by: str = "NEEDLE_PRECISION"
) -> Precision:
    """Return the precision of `auto`, `float32`, `bfloat16` or `float16` on the device.

    `auto` is float16 on a GPU, and on a CPU bfloat16 where it is not emulated (measured about
    twice as fast as float32), else float32. What is asked for is given, emulated or not; the
    reason says which, and that `asked_by` asked. Raises InvalidSettings for any other name.
    """
    if requested == "int8":
        raise InvalidSettings(
            f"PyTorch runs no network in int8: set {asked_by} to auto, float32, bfloat16 or "
            "float16. int8 is for a pack's own network on a CPU, where auto takes it"
        )
    if requested == "auto":
        return unless_emulated(torch.float16 if _is_gpu(device) else torch.bfloat16, device)
    dtype = _DTYPES.get(requested)
    if dtype is None:
        raise InvalidSettings(
            f"{requested!r} is no precision: set {asked_by} to auto, float32, bfloat16 or float16"
        )
    emulator = _emulator(dtype, device)
    caveat = "" if emulator is None else f"; {emulator} emulates it"
    return Precision(dtype, f"asked for by {asked_by}{caveat}")


def unless_emulated(dtype: torch.dtype, device: torch.device) -> Precision:
    """Return the precision `dtype` where the device computes in it, float32 where it does not."""
    wanted = Precision(dtype, "")
    emulator = _emulator(dtype, device)
    if emulator is not None:
        return Precision(torch.float32, f"{emulator} would emulate {wanted.name}")
    if _is_gpu(device):
        return Precision(dtype, f"this GPU has {wanted.name}")
    return Precision(dtype, f"this CPU has {_instructions(dtype)}")


def _emulator(dtype: torch.dtype, device: torch.device) -> str | None:
    """Return what would emulate the dtype on the device; None where it is computed in."""
    if dtype == torch.float32:
        return None
    if _is_gpu(device):
        return None if dtype == torch.float16 or _has_bfloat16(device) else "this GPU"
    if _instructions(dtype) is None:
        return "this CPU"
    variable = next((name for name in _CAPS if os.environ.get(name)), None)
    cap = os.environ[variable].upper() if variable else ""
    return f"oneDNN, capped to {cap} by {variable}," if cap in _CAPPED_BY[dtype] else None


def _instructions(dtype: torch.dtype) -> str | None:
    """Return the best of the CPU's capabilities that compute in the dtype, None without any."""
    capabilities = torch.cpu.get_capabilities()
    return next((name for name in _INSTRUCTIONS[dtype] if capabilities.get(name)), None)


def _has_bfloat16(gpu: torch.device) -> bool:
    # As `torch.cuda.is_bf16_supported(including_emulation=False)`, which sees one GPU only.
    return torch.version.hip is not None or torch.cuda.get_device_capability(gpu)[0] >= 8


def _is_gpu(device: torch.device) -> bool:
    return device.type == "cuda"
