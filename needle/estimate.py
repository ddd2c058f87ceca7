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
from dataclasses import dataclass, field, replace
from pathlib import Path

from needle import archives, remote, sources
from needle.api import Needle
from needle.bulk import Bulk
from needle.parcels import Address, parcels
from needle.sources import OnFault, Sources
from needle.tally import Failure, OnTally
from needle.uploads import Upload, ending, is_image

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
    """Draws a sample of a stream of unknown length, each with the same chance (reservoir)."""

    def __init__(self, most: int) -> None:
        self.seen = 0
        self.drawn: list[Named] = []
        self._most = most

    def __call__(self, one: Named) -> None:
        self.seen += 1
        if len(self.drawn) < self._most:
            self.drawn.append(one)
        elif (place := random.randrange(self.seen)) < self._most:  # noqa: S311
            self.drawn[place] = one


def extent(needle: Needle, found: Sources, *, draw: int = 0) -> Extent:
    """Count what there is, and draw so many of it. The service lists buckets, nothing is sent.

    Raises NeedleClientError.
    """
    offer, others = _Draw(draw), Counter(found.left_out)
    faults = [Failure(*absent) for absent in found.absent]
    size = sources.bytes_of(found.images + found.archives)
    named: list[Named] = [*found.images, *found.urls]
    for one in named:
        offer(one)
    for path in found.archives:
        try:
            for name in archives.names(path, lambda name: others.update([ending(name)])):
                offer((path, name))
        except OSError as exc:
            faults.append(Failure(path.name, str(exc)))
    listed = remote.in_buckets(
        found.buckets, needle.objects, lambda *fault: faults.append(Failure(*fault))
    )
    for stored in listed:
        if is_image(stored.url):
            offer(stored.url)
            size += stored.bytes
        else:
            others[ending(stored.url)] += 1
    return Extent(offer.seen, size, others, len(found.shards), tuple(faults), tuple(offer.drawn))


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
