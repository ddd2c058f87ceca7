"""Measuring as a processor of AVX2 without bfloat16 would, on one that has more.

oneDNN, MKL, torch, OpenCV and NumPy each obey a variable of their own; with oneDNN capped, the
service has torch compute in float32 (`worker.models.precision`). ONNX Runtime obeys none: it asks
the processor, and the system whether it keeps the registers of AVX-512 (the instruction
`xgetbv`). The child processes of a capped run therefore import a copy of that package in which the
answer to the latter is "no". The copy lies in a scratch folder and ends with the run.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

NONE, AVX2 = "none", "avx2"
CAPS = (NONE, AVX2)
PACKAGE = "onnxruntime"

VARIABLES = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "OPENCV_CPU_DISABLE": "AVX512-SKX",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
_ASKING = re.compile(rb"([\x31\x33]\xc9)\x0f\x01\xd0", re.DOTALL)
"""`xor ecx, ecx; xgetbv`: which registers does the system keep?"""
_ANSWERED = rb"\g<1>" + re.escape(b"\xb0\x07\x90")
"""`xor ecx, ecx; mov al, 7; nop`: those up to AVX's. Only the low byte is looked at for AVX-512."""


class CannotCap(Exception):
    """The package is built in a way that this module does not know."""


def environment(cap: str, scratch: Path) -> dict[str, str]:
    """Return what a child's environment gets besides; `scratch` is an empty folder for the copy.

    Raises CannotCap.
    """
    if cap == NONE:
        return {}
    copy = capped_package(scratch)
    paths = [str(copy), *filter(None, [os.environ.get("PYTHONPATH")])] if copy else []
    return VARIABLES | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})


def capped_package(scratch: Path) -> Path | None:
    """Return a folder for PYTHONPATH that holds a capped copy; None where it is not installed.

    Raises CannotCap where nothing in its libraries asks for the registers.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    origin = Path(next(iter(found.submodule_search_locations)))
    copy = scratch / PACKAGE
    shutil.copytree(origin, copy, ignore=shutil.ignore_patterns("__pycache__"))
    libraries = [*copy.glob("capi/*.so"), *copy.glob("capi/*.so.*")]
    if not sum(cap_library(path) for path in libraries):
        raise CannotCap(f"nothing in {origin} asks for the registers of AVX-512 in a known way")
    return scratch


def cap_library(path: Path) -> int:
    """Make every place of a library that asks for the registers be told AVX's; return how many."""
    content, places = capped(path.read_bytes())
    if places:
        path.write_bytes(content)
    return places


def capped(code: bytes) -> tuple[bytes, int]:
    """Return the code with every such place changed, and how many there were."""
    return _ASKING.subn(_ANSWERED, code)


def describe(cap: str, env: Mapping[str, str]) -> str:
    """Say in a phrase what the run was held to."""
    if cap == NONE:
        return "not capped"
    engine = f"; a copy of {PACKAGE} held to AVX2 too" if "PYTHONPATH" in env else ""
    names = ", ".join(f"{name}={env[name]}" for name in VARIABLES)
    return f"capped to AVX2 without bfloat16 ({names}{engine})"
