"""A folder of queries, and what a service was asked because of it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import httpx

from tests.unit.needle.fake_needle import FakeService

NAMES = ("a.png", "b.png", "c.png", "=d.png")
"""The files of the fixture `queries`."""


def rows(path: str = "results.csv") -> list[dict[str, Any]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def asked(service: FakeService) -> list[str]:
    """Return the files of the searches that the service took, in their order of names."""
    return sorted(name for names in service.uploads for name in names)


def searches(service: FakeService) -> list[httpx.Request]:
    return [r for r in service.requests if r.url.path.endswith("/searches")]
