"""Loads the compiled kernels, and knows what each takes."""

from __future__ import annotations

import ctypes
import sys
from ctypes import c_double, c_float, c_int16, c_int64
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import InvalidSettings
from common.kernels import PLAIN, SOURCES, WIDE, built, targets

CHECKOUT = SOURCES.parents[1]
"""Images of containers have their kernels beside the code; elsewhere the environment has them."""


def _array(dtype: Any) -> Any:
    """Return the type of an argument: an array without gaps. Others raise a TypeError."""
    return np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS")


_MARKS, _DOUBLES = _array(np.uint64), _array(np.float64)
_BYTES, _LEVELS = _array(np.uint8), _array(np.int16)
_INTEGERS, _FLOATS = _array(np.int64), _array(np.float32)
_PICTURES = ctypes.POINTER(ctypes.c_void_p)
_WORDS = [_INTEGERS, c_int64, c_int64, _MARKS, _MARKS, c_int64]
_CODES = [_BYTES, _INTEGERS, _FLOATS, _FLOATS]
_PAIRS = [_FLOATS, _FLOATS, _FLOATS, _FLOATS]
_SIZE = [_PICTURES, c_int64, c_int64, c_int64]
_SPOTS = [_PICTURES, _INTEGERS, _INTEGERS, _FLOATS, _FLOATS]

SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "needle_affine": (c_int64, [_FLOATS, _FLOATS, _BYTES, c_int64, _DOUBLES]),
    "needle_agreeing": (
        c_int64,
        [_FLOATS, _FLOATS, _FLOATS, _FLOATS, c_int64, _DOUBLES, *[c_double] * 5, _BYTES],
    ),
    "needle_crowd": (c_int64, [_FLOATS, c_int64, _FLOATS, c_int64, c_float]),
    "needle_apart": (
        c_int64,
        [_DOUBLES, c_int64, c_double, c_int64, c_int64, _DOUBLES, _INTEGERS],
    ),
    "needle_extrema": (
        c_int64,
        [*_SIZE, c_int16, c_float, c_float, _LEVELS, _INTEGERS, _FLOATS, _FLOATS, c_int64],
    ),
    "needle_directions": (
        c_int64,
        [*_SPOTS, c_int64, c_float, _FLOATS, c_float, _INTEGERS, _FLOATS],
    ),
    "needle_descriptors": (
        None,
        [*_SPOTS, _FLOATS, c_int64, c_float, _FLOATS, c_float, c_float, _BYTES],
    ),
    "needle_pairs": (
        c_int64,
        [*_WORDS, *_CODES, _FLOATS, _FLOATS, _INTEGERS, _INTEGERS, _FLOATS, c_int64],
    ),
    "needle_votes": (
        None,
        [*_PAIRS, c_int64, c_int64, c_float, c_float, _BYTES, _INTEGERS],
    ),
    "needle_pooled": (
        None,
        [_FLOATS, c_int64, c_int64, c_int64, _FLOATS, c_int64, c_int64, _FLOATS],
    ),
}
"""What each kernel returns and takes."""


@lru_cache(maxsize=1)
def library() -> Any:
    """Load the kernels for this processor. Raises InvalidSettings where there are none."""
    places = [built(_target(), prefix) for prefix in (Path(sys.prefix), CHECKOUT)]
    return load(next((path for path in places if path.exists()), places[0]))


def load(path: Path) -> Any:
    """Load the kernels in a file. Raises InvalidSettings where it holds none."""
    try:
        loaded = ctypes.CDLL(str(path))
        for name, (returns, takes) in SIGNATURES.items():
            kernel = getattr(loaded, name)
            kernel.restype, kernel.argtypes = returns, takes
    except (OSError, AttributeError) as exc:
        raise InvalidSettings(
            f"The compiled kernels of this version cannot be loaded: run `make setup` ({exc})."
        ) from exc
    return loaded


def _target() -> str:
    return WIDE if WIDE in targets() and _has_avx2() else PLAIN


def _has_avx2() -> bool:
    """Tell whether processor and system have AVX2: NumPy asks both when it is imported."""
    found: list[str] = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return not {"X86_V3", "AVX2"}.isdisjoint(found)
