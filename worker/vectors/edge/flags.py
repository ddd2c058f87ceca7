"""Truth values in Qdrant Edge.

Its Python binding turns True into 1 before it compares, so that no filter ever matches a truth
value. Each is therefore kept a second time, as a word, in a list beside the others.
"""

from __future__ import annotations

from typing import Any

from common.vectors.filters import Condition

FLAGS = "__flags"


def with_flags(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload whose metadata has its truth values as words too."""
    metadata = payload.get("metadata", {})
    flags = [_flag(key, value) for key, value in metadata.items() if isinstance(value, bool)]
    return {**payload, "metadata": {**metadata, FLAGS: flags}} if flags else payload


def askable(condition: Condition) -> Condition:
    """Return a condition that Edge can compare: truth values by their words."""
    if condition.values and isinstance(condition.values[0], bool):
        return Condition(FLAGS, values=(_flag(condition.key, condition.values[0]),))
    return condition


def _flag(key: str, value: bool) -> str:
    return f"{key}={value}"
