"""Filters on metadata: parsed once, built for either form of Qdrant.

`{"shop": "Basel", "year": {"gte": 2020}, "tags": ["red", "blue"]}` asks for all three: equal to,
within the range, any of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import BadRequest

BOUNDS = ("gt", "gte", "lt", "lte")


@dataclass(frozen=True)
class Condition:
    """One key of the metadata and what it must be: any of `values`, or within `bounds`."""

    key: str
    values: tuple[str | int | bool, ...] = ()
    bounds: tuple[tuple[str, float], ...] = ()


def parse(raw: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Turn a request's `filter` into conditions. Raises BadRequest naming the key at fault."""
    return tuple(_condition(key, value) for key, value in raw.items())


def _condition(key: str, value: Any) -> Condition:
    if isinstance(value, float) and math.isfinite(value):  # Qdrant compares floats by range only
        return Condition(key, bounds=(("gte", value), ("lte", value)))
    if isinstance(value, str) or (isinstance(value, int) and _fits(value)):
        return Condition(key, values=(value,))
    if isinstance(value, Mapping):
        return Condition(key, bounds=_bounds(key, value))
    if isinstance(value, Sequence) and value:
        kinds = {type(v) for v in value}
        if kinds == {str} or (kinds == {int} and all(_fits(v) for v in value)):
            return Condition(key, values=tuple(value))
    raise BadRequest(
        f"filter: '{key}' must be a string, a number of 64 bits, true or false, a list of strings "
        f"or of whole numbers, or a range with {', '.join(BOUNDS)}."
    )


def _fits(value: int) -> bool:
    """Tell whether Qdrant, which counts in 64 bits, can hold the number."""
    return -(2**63) <= value < 2**63


def _finite(value: float) -> bool:
    """Tell whether a float can hold the number: 1e999 is infinite, 10**400 is too large."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _bounds(key: str, value: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    right = value and all(
        name in BOUNDS and isinstance(v, (int, float)) and not isinstance(v, bool) and _finite(v)
        for name, v in value.items()
    )
    if not right:
        raise BadRequest(f"filter: the range '{key}' takes numbers under {', '.join(BOUNDS)}.")
    return tuple((name, float(v)) for name, v in value.items())
