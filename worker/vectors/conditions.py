"""Qdrant's filters, built alike from `qdrant_client.models` and from `qdrant_edge`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from common.vectors.filters import Condition


def field_of(condition: Condition) -> str:
    """Return the field of a point's payload that a condition looks at."""
    return f"metadata.{condition.key}"


def kind_of(condition: Condition) -> Literal["keyword", "integer", "float", "bool"]:
    """Return the kind of index that answers a condition.

    An index of whole numbers must answer equality only: for a range it would pass over
    points that hold 1.5.
    """
    if condition.bounds:
        return "float"
    if isinstance(condition.values[0], bool):
        return "bool"
    return "keyword" if isinstance(condition.values[0], str) else "integer"


@dataclass(frozen=True)
class FilterFactory:
    """The classes of one of the two libraries."""

    filter: Callable[..., Any]
    field: Callable[..., Any]
    value: Callable[[Any], Any]
    any_of: Callable[[list[Any]], Any]
    range: Callable[..., Any]
    has_id: Callable[..., Any]

    def build(self, where: Sequence[Condition], among: Sequence[str] | None) -> Any | None:
        """Return a filter for all the conditions, None when there are none."""
        must = [self._field(condition) for condition in where]
        if among is not None:
            must.append(self.has_id(list(among)))
        return self.filter(must=must) if must else None

    def of_images(self, image_ids: Sequence[str]) -> Any:
        """Return a filter for the points that name one of those images."""
        return self.filter(must=[self.field(key="image_id", match=self.any_of(list(image_ids)))])

    def _field(self, condition: Condition) -> Any:
        key = field_of(condition)
        if condition.bounds:
            return self.field(key=key, range=self.range(**dict(condition.bounds)))
        if len(condition.values) == 1:
            return self.field(key=key, match=self.value(condition.values[0]))
        return self.field(key=key, match=self.any_of(list(condition.values)))
