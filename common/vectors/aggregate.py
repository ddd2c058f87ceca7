"""How hits are summed up. A module of its own, because web knows no vectors (and no numpy)."""

from __future__ import annotations

from enum import StrEnum


class Aggregate(StrEnum):
    """How the scores of an image's hits become the image's score."""

    MAX = "max"
    MEAN = "mean"
    SUM = "sum"
    MIN = "min"
