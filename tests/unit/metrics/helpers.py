"""Reading metrics as Prometheus does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families


def samples(text: bytes) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return the values of each name by their labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def value(text: bytes, name: str, **labels: str) -> float:
    """Return one value; 0 where nothing was counted."""
    return samples(text).get(name, {}).get(tuple(sorted(labels.items())), 0.0)


class Counted:
    """How much a count has grown since the object was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = self._now()

    def _now(self) -> float:
        return value(generate_latest(), self._name, **self._labels)

    @property
    def more(self) -> float:
        """The growth."""
        return self._now() - self._before


def families(text: bytes) -> Iterator[Any]:
    """Yield every family."""
    yield from text_string_to_metric_families(text.decode())
