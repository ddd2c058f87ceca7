"""What the points of regions carry: each thing once.

An image's first point has the image's id and the list of all its regions. The others have nothing
but the metadata that searches filter by, and nothing at all where there is none. In an earlier
version each point told all of itself; such points are read as well.
"""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.regions import RegionList, packed
from worker.vectors.base import ImagePoints, Region
from worker.vectors.engine import Engine, Kept, Near, Row, Shelf
from worker.vectors.ids import first_of, number_of, numbered, point_ids

LIST = "regions"
LISTS_REMEMBERED = 5000
"""Lists of regions kept in memory, some 12 kB each: a search looks at a thousand regions."""


@dataclass(frozen=True)
class OneImage:
    """An image's list, as its first point tells it."""

    image_id: str
    regions: RegionList

    @classmethod
    def of(cls, payload: dict[str, Any]) -> OneImage:
        """Read the payload of a first point."""
        return cls(payload["image_id"], RegionList(base64.b64decode(payload[LIST])))


def rows(image: ImagePoints) -> list[Row]:
    """Return the points of an image, the first of them first."""
    shared = {"metadata": dict(image.metadata)} if image.metadata else {}
    ids = point_ids(image.image_id, image.regions, image.encoder)
    told = base64.b64encode(image.listed or packed(image.regions)).decode()
    first = {"image_id": image.image_id, LIST: told, **shared}
    return [
        Row(name, vector, shared if number else first)
        for number, (name, vector) in enumerate(zip(ids, image.vectors, strict=True))
    ]


def members(point: Kept) -> list[str]:
    """Return the ids of the points that a point speaks for, the first one last.

    They are removed in that order: as long as any is there, the first is, which leads to them.
    """
    if LIST not in point.payload:
        return [point.id]
    return numbered(point.id, len(OneImage.of(point.payload).regions))[::-1]


class ListCache:
    """Tells the regions of points. Lists never change under their ids, so they are remembered."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[str, OneImage] = OrderedDict()
        self._lock = threading.Lock()

    def regions(self, shelf: Shelf, points: Sequence[Near]) -> list[Region | None]:
        """Return the points' regions; None for one whose image is being removed."""
        firsts = {first_of(point.id) for point in points if not _tells_itself(point)}
        images = self._images(shelf, firsts)
        return [
            Region.from_dict(point.payload)
            if _tells_itself(point)
            else _region(images.get(first_of(point.id)), number_of(point.id))
            for point in points
        ]

    def _images(self, shelf: Shelf, firsts: set[str]) -> dict[str, OneImage]:
        with self._lock:
            images = {name: self._known[name] for name in firsts if name in self._known}
            for name in images:
                self._known.move_to_end(name)
        missing = sorted(firsts - images.keys())
        if missing:
            found = self._engine.read(shelf, missing)
            new = {one.id: OneImage.of(one.payload) for one in found if LIST in one.payload}
            images.update(new)
            with self._lock:
                self._known.update(new)
                while len(self._known) > LISTS_REMEMBERED:
                    self._known.popitem(last=False)
        return images


def _tells_itself(point: Near) -> bool:
    return "box" in point.payload


def _region(image: OneImage | None, number: int) -> Region | None:
    if image is None or number >= len(image.regions):
        return None
    return Region.listed(image.image_id, image.regions[number])
