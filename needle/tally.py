"""What a bulk index counts, and what it ends with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tally:
    """How far a bulk index is, in images. `total` leaves out those `skipped`.

    `sent` images were taken by the service, now or by an earlier run whose jobs this one awaits.
    """

    total: int = 0
    sent: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0


OnTally = Callable[[Tally], None]
OnProgress = Callable[[int, int], None]
"""(images ended well, images failed), of all that are to be indexed."""


@dataclass(frozen=True)
class Failure:
    """An image that was not indexed, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ItemOutcome:
    """What became of one image: `indexed`, `unchanged`, `failed` or `cancelled`, and why.

    Its `name` is its path or URL as it was given, in an archive with the archive's before it.
    """

    name: str
    status: str
    image_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Remark:
    """An image that was indexed, and what of it could not be read."""

    name: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """How a bulk index ended. `image_ids` are the images that this run has had indexed.

    `skipped` were not sent: the service had them. `unchanged` were sent although it had them. Files
    of folders and archives that are no images are counted in `left_out`, by their ending.
    """

    indexed: int = 0
    unchanged: int = 0
    failures: tuple[Failure, ...] = ()
    image_ids: frozenset[str] = frozenset()
    skipped: int = 0
    remarks: tuple[Remark, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
