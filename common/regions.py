"""The list of an image's regions, as it is kept: columns of numbers, some 9 bytes a region.

It lies beside the image, for whoever shows the image, and in the image's first point, for whoever
searches. JSON said every name again for each region: 100 bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from common.geometry import Box

_NONE = 0xFFFF
"""In place of a label or a confidence that is not there."""
_FINE = 10_000
"""Steps of a confidence: it has four decimals."""
QUICK = 1
"""How hard a list is compressed: 9 takes five times as long, for 6 % less."""
_KINDS = "IIIIBHH"
"""Of the columns, in the words of `struct`: a box's corner and sides, source, label, confidence."""
_BYTES_A_REGION = struct.calcsize(f"<{_KINDS}")


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
            head, _, columns = zlib.decompress(content).partition(b"\n")
            names: dict[str, Any] = json.loads(head)
        except (zlib.error, json.JSONDecodeError) as exc:
            raise ValueError(f"This is no list of regions: {exc}") from exc
        self._sources: list[str] = names["sources"]
        self._labels: list[str] = names["labels"]
        count, start = len(columns) // _BYTES_A_REGION, 0
        self._columns: list[array[int]] = []
        for kind in _KINDS:
            stop = start + count * struct.calcsize(f"<{kind}")
            self._columns.append(array(kind, struct.unpack(f"<{count}{kind}", columns[start:stop])))
            start = stop

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, index: int) -> ListedRegion:
        """Return a region by its place, from 0 on. Raises IndexError."""
        if index < 0:
            raise IndexError(f"There is no region {index}.")
        left, top, width, height, source, label, confidence = [c[index] for c in self._columns]
        return ListedRegion(
            Box(left, top, left + width, top + height),
            self._sources[source],
            None if label == _NONE else self._labels[label],
            None if confidence == _NONE else confidence / _FINE,
        )

    def __iter__(self) -> Iterator[ListedRegion]:
        return (self[index] for index in range(len(self)))


def packed(regions: Iterable[Listed]) -> bytes:
    """Return the list of these regions; confidences keep four decimals."""
    listed = list(regions)
    sources = list(dict.fromkeys(str(region.source) for region in listed))
    labels = list(dict.fromkeys(r.label for r in listed if r.label is not None))
    boxes = [region.box for region in listed]
    columns: list[Iterable[int]] = [
        (box.x1 for box in boxes),
        (box.y1 for box in boxes),
        (box.width for box in boxes),
        (box.height for box in boxes),
        (sources.index(str(region.source)) for region in listed),
        (_NONE if r.label is None else labels.index(r.label) for r in listed),
        (_NONE if r.confidence is None else _step(r.confidence) for r in listed),
    ]
    packed_columns = (
        struct.pack(f"<{len(listed)}{kind}", *numbers)
        for kind, numbers in zip(_KINDS, columns, strict=True)
    )
    head = json.dumps({"sources": sources, "labels": labels}).encode()
    return zlib.compress(head + b"\n" + b"".join(packed_columns), QUICK)


def _step(confidence: float) -> int:
    return round(min(max(confidence, 0.0), 1.0) * _FINE)
