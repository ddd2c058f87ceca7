"""What indexing would take: how many images there are, and what a sample of them says of the rest.

A sample is indexed for real, in a collection of its own that is removed afterwards: only that tells
how many regions these images have, and how fast this service takes them in.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from needle import archives, remote, sources
from needle.api import Needle
from needle.bulk import Bulk
from needle.parcels import Address, parcels
from needle.sources import OnFault, Sources
from needle.tally import Failure, OnTally
from needle.uploads import Upload, ending, is_image

CANDIDATES = 2000
"""A sample is drawn from so many images, whose sizes are known."""
Named = Path | str | tuple[Path, str]
"""An image that may be in a sample: a file, a URL, or a name in an archive."""


@dataclass(frozen=True)
class Extent:
    """What there is to index. Nobody has counted what is in `uncounted` archives, given by URL."""

    images: int = 0
    bytes: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    uncounted: int = 0
    faults: tuple[Failure, ...] = ()
    drawn: tuple[Named, ...] = ()


@dataclass(frozen=True)
class Sample:
    """What indexing some of the images took: `seconds` from the first byte sent to the last end."""

    images: int
    failed: int
    seconds: float
    regions: int

    @property
    def rate_per_s(self) -> float:
        """Images a second, failed ones as well."""
        return (self.images + self.failed) / self.seconds

    @property
    def regions_per_image(self) -> float:
        """Regions of an image that was indexed."""
        return self.regions / self.images if self.images else 0.0


class _Draw:
    """Draws a sample of a stream of unknown length: of small and large images their share.

    Candidates are drawn first, each with the same chance (reservoir). Sorted by size they make as
    many classes of one length as images are wanted, and each class gives one.
    """

    def __init__(self, most: int) -> None:
        self.seen = 0
        self._most = most
        self._kept = max(most, CANDIDATES) if most else 0
        self._candidates: list[tuple[Named, int | None]] = []

    def __call__(self, one: Named, size: int | None = None) -> None:
        """Offer an image; of a file its size is asked for where it is needed."""
        self.seen += 1
        if len(self._candidates) < self._kept:
            self._candidates.append((one, size))
        elif (place := random.randrange(self.seen)) < self._kept:  # noqa: S311
            self._candidates[place] = (one, size)

    def drawn(self) -> tuple[Named, ...]:
        """Return the sample."""
        random.shuffle(self._candidates)  # of those of one size, none comes first
        ranked = sorted(self._candidates, key=_bytes)
        most = min(self._most, len(ranked))
        ends = [len(ranked) * number // most for number in range(most + 1)] if most else []
        return tuple(
            ranked[random.randrange(first, end)][0]  # noqa: S311
            for first, end in pairwise(ends)
        )


def _bytes(candidate: tuple[Named, int | None]) -> int:
    """Return the size of an image, 0 where nobody knows it."""
    one, size = candidate
    if isinstance(one, Path):
        with suppress(OSError):
            return one.stat().st_size
    return size or 0


def extent(needle: Needle, found: Sources, *, draw: int = 0) -> Extent:
    """Count what there is, and draw so many of it, small and large.

    The service lists buckets, nothing is sent. Raises NeedleClientError.
    """
    offer, others = _Draw(draw), Counter(found.left_out)
    faults = [Failure(*absent) for absent in found.absent]
    size = sources.bytes_of(found.images + found.archives)
    named: list[Named] = [*found.images, *found.urls]
    for one in named:
        offer(one)
    for path in found.archives:
        try:
            for name, held in archives.listed(path, lambda name: others.update([ending(name)])):
                offer((path, name), held)
        except OSError as exc:
            faults.append(Failure(path.name, str(exc)))
    listed = remote.in_buckets(
        found.buckets, needle.objects, lambda *fault: faults.append(Failure(*fault))
    )
    for stored in listed:
        if is_image(stored.url):
            offer(stored.url, stored.bytes)
            size += stored.bytes
        else:
            others[ending(stored.url)] += 1
    return Extent(offer.seen, size, others, len(found.shards), tuple(faults), offer.drawn())


def sample(
    needle: Needle, found: Sources, drawn: Sequence[Named], address: Address, on_tally: OnTally
) -> Sample:
    """Index what was drawn into a collection of its own, which is removed whatever happens.

    `address` says how images are indexed; its own collection is left alone. Raises
    NeedleClientError.
    """
    name = f"needle-sample-{uuid.uuid4().hex[:12]}"
    needle.create_collection(name)
    try:
        bulk = Bulk(needle, replace(address, collection=name), on_tally=on_tally)
        bulk.expect(len(drawn))
        urls = [one for one in drawn if isinstance(one, str)]
        began = time.monotonic()
        outcome = bulk.run(parcels(_uploads(found, drawn, bulk.fault), urls))
        seconds = time.monotonic() - began
        regions = sum(image.regions or 0 for image in needle.images(collection=name))
    finally:
        needle.delete_collection(name)
    return Sample(outcome.indexed, len(outcome.failures), max(seconds, 0.001), regions)


def _uploads(found: Sources, drawn: Sequence[Named], on_fault: OnFault) -> Iterator[Upload]:
    files = frozenset(one for one in drawn if isinstance(one, Path))
    yield from found.only(files).uploads(on_fault)
    packed: dict[Path, set[str]] = {}
    for one in drawn:
        if isinstance(one, tuple):
            packed.setdefault(one[0], set()).add(one[1])
    for path, names in packed.items():
        try:
            yield from (file for file in archives.members(path) if file.name in names)
        except OSError as exc:
            on_fault(path.name, str(exc))
