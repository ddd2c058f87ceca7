"""What is not counted but looked up, at the moment at which Prometheus asks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector


class Asked(Collector):
    """Metrics that `collect` looks up."""

    def text(self) -> bytes:
        """Return them as Prometheus reads them."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> list[Any]:
        """Name nothing beforehand: that would look everything up."""
        return []

    @abstractmethod
    def collect(self) -> Iterator[Any]:
        """Yield every metric."""
