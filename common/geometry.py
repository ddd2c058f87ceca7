"""Boxes, in absolute pixels of the upright image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from common.errors import InvalidBox


@dataclass(frozen=True, order=True)
class Box:
    """A rectangle `(x1, y1, x2, y2)` in whole pixels, half open: x2 and y2 lie outside."""

    x1: int
    y1: int
    x2: int
    y2: int

    @classmethod
    def covering(cls, corners: Iterable[float], width: int, height: int) -> Box:
        """Return the smallest whole-pixel box around `corners`, clipped to the image."""
        x1, y1, x2, y2 = corners
        return cls(
            max(0, math.floor(x1)),
            max(0, math.floor(y1)),
            min(width, math.ceil(x2)),
            min(height, math.ceil(y2)),
        )

    @property
    def width(self) -> int:
        """Width in pixels; not positive for an empty box."""
        return self.x2 - self.x1

    @property
    def height(self) -> int:
        """Height in pixels; not positive for an empty box."""
        return self.y2 - self.y1

    @property
    def area(self) -> int:
        """Area in square pixels, 0 for an empty box."""
        return max(0, self.width) * max(0, self.height)

    def inside(self, width: int, height: int) -> bool:
        """Tell whether the box is not empty and lies within an image of that size."""
        return 0 <= self.x1 < self.x2 <= width and 0 <= self.y1 < self.y2 <= height

    def within(self, width: int, height: int) -> Box:
        """Return the box. Raises InvalidBox where it is not `inside` an image of that size."""
        if not self.inside(width, height):
            raise InvalidBox(
                f"The box {self.as_list()} must be x1 < x2, y1 < y2 and lie inside "
                f"the image of {width} x {height} pixels."
            )
        return self

    def iou(self, other: Box) -> float:
        """Return intersection over union, 0..1."""
        shared = Box(
            max(self.x1, other.x1),
            max(self.y1, other.y1),
            min(self.x2, other.x2),
            min(self.y2, other.y2),
        ).area
        union = self.area + other.area - shared
        return shared / union if union else 0.0

    def as_tuple(self) -> tuple[int, int, int, int]:
        """Return `(x1, y1, x2, y2)`, as Pillow takes it."""
        return (self.x1, self.y1, self.x2, self.y2)

    def as_list(self) -> list[int]:
        """Return `[x1, y1, x2, y2]`, as JSON carries it."""
        return [self.x1, self.y1, self.x2, self.y2]
