"""The development photos: their boxes, and the queries with what would be right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Corners = tuple[float, float, float, float]
"""(x1, y1, x2, y2) in pixels of the upright photo."""


@dataclass(frozen=True)
class LabelledBox:
    """One object of a photo; `instance` names the very thing, `label` its kind."""

    corners: Corners
    label: str
    instance: str | None

    @property
    def area(self) -> float:
        """Area in square pixels."""
        x1, y1, x2, y2 = self.corners
        return (x2 - x1) * (y2 - y1)


@dataclass(frozen=True)
class Photo:
    """A photo of the set with its boxes; sizes in pixels."""

    path: Path
    set: str
    width: int
    height: int
    boxes: tuple[LabelledBox, ...]


@dataclass(frozen=True)
class Query:
    """A second photograph of something, and the names of the photos that show it."""

    path: Path
    set: str
    group: str
    right: frozenset[str]


def photos(root: Path) -> list[Photo]:
    """Read `photos.jsonl` of the development set at `root`."""
    return [
        Photo(
            root / raw["file"],
            raw["set"],
            raw["width"],
            raw["height"],
            tuple(LabelledBox(tuple(b["box"]), b["label"], b["instance"]) for b in raw["boxes"]),
        )
        for raw in _lines(root / "photos.jsonl")
    ]


def queries(root: Path, among: list[Photo]) -> list[Query]:
    """Read `queries.jsonl`: a query's right photos hold its instance, or its label."""
    found = []
    for raw in _lines(root / "queries.jsonl"):
        right = frozenset(
            photo.path.name
            for photo in among
            for box in photo.boxes
            if photo.set == raw["set"]
            and raw["label"] == (box.instance if raw["match"] == "instance" else box.label)
        )
        group = raw["label"].split("/")[0] if raw["set"] == "smvs" else raw["set"]
        found.append(Query(root / raw["file"], raw["set"], group, right))
    return found


def _lines(path: Path) -> Iterator[dict]:  # type: ignore[type-arg]
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
