"""The list of an image's regions, as it is kept: columns of numbers, some 9 bytes a region.

It lies beside the image, for whoever shows the image, and in the image's first point, for whoever
searches. JSON said every name again for each region: 100 bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from common.geometry import Box

_NONE = 0xFFFF
"""In place of a label or a confidence that is not there."""
_FINE = 10_000
"""Steps of a confidence: it has four decimals."""
_BYTES_A_REGION = 4 * 4 + 1 + 2 + 2


class Listed(Protocol):
    """What is kept of a region; `source` is a word, `label` and `confidence` the detector's."""

    @property
    def box(self) -> Box: ...
    @property
    def source(self) -> str: ...
    @property
    def label(self) -> str | None: ...
    @property
    def confidence(self) -> float | None: ...


@dataclass(frozen=True)
class ListedRegion:
    """A region of the list."""

    box: Box
    source: str
    label: str | None
    confidence: float | None


class RegionList:
    """A list that was read; each region is made when it is asked for."""

    def __init__(self, content: bytes) -> None:
        """Read what `packed` wrote. Raises ValueError where it is something else."""
        try:
            head, _, self._columns = zlib.decompress(content).partition(b"\n")
            names: dict[str, Any] = json.loads(head)
        except (zlib.error, json.JSONDecodeError) as exc:
            raise ValueError(f"This is no list of regions: {exc}") from exc
        self._sources: list[str] = names["sources"]
        self._labels: list[str] = names["labels"]
        self._count = len(self._columns) // _BYTES_A_REGION

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> ListedRegion:
        """Return a region by its place, from 0 on. Raises IndexError."""
        if not 0 <= index < self._count:
            raise IndexError(f"There is no region {index} among {self._count}.")
        n = self._count
        left, top, width, height = (self._number("I", (n * c + index) * 4) for c in range(4))
        source = self._columns[16 * n + index]
        label, confidence = (self._number("H", (17 + 2 * c) * n + 2 * index) for c in range(2))
        return ListedRegion(
            Box(left, top, left + width, top + height),
            self._sources[source],
            None if label == _NONE else self._labels[label],
            None if confidence == _NONE else confidence / _FINE,
        )

    def __iter__(self) -> Iterator[ListedRegion]:
        return (self[index] for index in range(self._count))

    def _number(self, kind: str, offset: int) -> int:
        number: int = struct.unpack_from(f"<{kind}", self._columns, offset)[0]
        return number


def packed(regions: Iterable[Listed]) -> bytes:
    """Return the list of these regions; confidences keep four decimals."""
    listed = list(regions)
    sources = list(dict.fromkeys(str(region.source) for region in listed))
    labels = list(dict.fromkeys(r.label for r in listed if r.label is not None))
    boxes = [region.box for region in listed]
    columns = [
        _column("I", (box.x1 for box in boxes)),
        _column("I", (box.y1 for box in boxes)),
        _column("I", (box.width for box in boxes)),
        _column("I", (box.height for box in boxes)),
        _column("B", (sources.index(str(region.source)) for region in listed)),
        _column("H", (_NONE if r.label is None else labels.index(r.label) for r in listed)),
        _column("H", (_NONE if r.confidence is None else _step(r.confidence) for r in listed)),
    ]
    head = json.dumps({"sources": sources, "labels": labels}).encode()
    return zlib.compress(head + b"\n" + b"".join(columns), 9)


def _step(confidence: float) -> int:
    return round(min(max(confidence, 0.0), 1.0) * _FINE)


def _column(kind: str, numbers: Iterable[int]) -> bytes:
    values = list(numbers)
    return struct.pack(f"<{len(values)}{kind}", *values)
