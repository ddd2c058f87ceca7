"""Which images a list holds: by a part of their path, by their metadata."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common.catalogue import ImageRecord
from common.paths import comparable
from common.vectors.filters import Condition

_COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def wanted(
    name: str | None, conditions: Sequence[Condition]
) -> Callable[[ImageRecord], bool] | None:
    """Return what tells whether an image is in the list; None when every one is."""
    if name is None and not conditions:
        return None
    part = comparable(name or "")

    def keep(record: ImageRecord) -> bool:
        paths = (record.filename, *record.paths)
        return any(part in comparable(path) for path in paths) and all(
            _holds(condition, record.metadata) for condition in conditions
        )

    return keep


def _holds(condition: Condition, metadata: Mapping[str, Any]) -> bool:
    """Tell whether metadata meets a condition as Qdrant would; of a list, any element may."""
    value = metadata.get(condition.key)
    values = value if isinstance(value, list) else [value]
    return any(_meets(condition, one) for one in values)


def _meets(condition: Condition, value: Any) -> bool:
    if condition.values:
        # True is no 1, nor is 1.0: Qdrant keeps them apart.
        return any(type(value) is type(want) and value == want for want in condition.values)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(_COMPARE[name](value, bound) for name, bound in condition.bounds)
