"""Machines, memory, money and time of a search for so many photos, from measured constants."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.capacity.measured import Measured

DAY_S = 86_400.0
MONTH_H = 730.0
BUSY = 0.7
"""Share of a processor or of memory that is planned for: beyond it queues grow quickly."""


@dataclass(frozen=True)
class Prices:
    """What is paid (the same currency for all) and what a machine has.

    These are round numbers of rented servers, not an offer: give your own.
    """

    core_hour: float = 0.02
    memory_gb_month: float = 2.0
    disk_gb_month: float = 0.08
    object_gb_month: float = 0.02
    cores: int = 16
    memory_gb: float = 128.0


@dataclass(frozen=True)
class Demand:
    """What is wanted: `copies` of every shard, all indexed in `days`, so many searches a second.

    `regions` in place of the measured number a photo, where another design keeps fewer.
    """

    photos: float
    megapixels: float = 12.0
    days: float = 30.0
    searches_per_s: float = 10.0
    copies: int = 2
    shard_points: float = 50e6
    regions: float | None = None


@dataclass(frozen=True)
class Plan:
    """What it takes. Bytes are of everything once copied; `search_ms` is the median of a search."""

    regions: float
    index_machines: int
    search_machines: int
    vector_machines: int
    shards: int
    vector_bytes: float
    catalogue_bytes: float
    object_bytes: float
    search_ms: float
    month: float
    indexing: float


def plan(demand: Demand, measured: Measured, prices: Prices) -> Plan:
    """Return what the demand takes."""
    photo = measured.photo(demand.megapixels)
    regions = photo.regions if demand.regions is None else demand.regions
    share = regions / photo.regions
    points = demand.photos * regions
    index_s = demand.photos * photo.processor_s
    index_cores = index_s / (demand.days * DAY_S) / BUSY
    search_cores = demand.searches_per_s * measured.search_processor_s / BUSY
    shards = max(1, math.ceil(points / demand.shard_points))
    engine_ms = measured.engine_ms(points / shards)
    # Each query goes to every shard once: the copies share the queries.
    vector_cores = demand.searches_per_s * shards * engine_ms / 1000 / BUSY
    vector_bytes = demand.photos * (photo.vector_bytes * share + photo.word_bytes) * demand.copies
    vector_machines = max(
        math.ceil(vector_bytes / (prices.memory_gb * 1e9 * BUSY)),
        math.ceil(vector_cores / prices.cores),
        demand.copies,
    )
    object_bytes = demand.photos * (photo.photo_bytes + photo.file_bytes)
    catalogue_bytes = demand.photos * measured.catalogue_bytes
    machine = prices.cores * prices.core_hour * MONTH_H + prices.memory_gb * prices.memory_gb_month
    search_machines = max(1, math.ceil(search_cores / prices.cores))
    month = (
        machine * (search_machines + vector_machines)
        + catalogue_bytes / 1e9 * 2 * prices.memory_gb_month
        + vector_bytes / 1e9 * prices.disk_gb_month
        + object_bytes / 1e9 * prices.object_gb_month
    )
    return Plan(
        regions=points,
        index_machines=max(1, math.ceil(index_cores / prices.cores)),
        search_machines=search_machines,
        vector_machines=vector_machines,
        shards=shards,
        vector_bytes=vector_bytes,
        catalogue_bytes=catalogue_bytes,
        object_bytes=object_bytes,
        search_ms=measured.search_processor_s * 1000 + engine_ms,
        month=month,
        indexing=index_s / 3600 * prices.core_hour,
    )


@dataclass(frozen=True)
class Limit:
    """Something that ends at a number of photos, and what to do then."""

    what: str
    photos: float
    then: str


def limits(demand: Demand, measured: Measured, prices: Prices) -> list[Limit]:
    """Return what breaks, the first to break first."""
    photo = measured.photo(demand.megapixels)
    index_bytes = photo.vector_bytes + photo.word_bytes
    memory = prices.memory_gb * 1e9 * BUSY
    day_s = demand.days * DAY_S * prices.cores * BUSY
    found = [
        Limit(
            "the backup's copy of the list (a value of Redis has 512 MB at most)",
            512e6 / 640,
            "more collections of fewer images each, or copy Redis's own append-only file instead",
        ),
        Limit(
            f"one machine of {prices.cores} cores indexing for {demand.days:g} days",
            day_s / photo.processor_s,
            "start index workers on more machines: they share nothing but Redis and the stores",
        ),
        Limit(
            f"the embedded index in {prices.memory_gb:g} GB of memory",
            memory / index_bytes,
            "a Qdrant cluster (NEEDLE_QDRANT_URL), shards by memory, search workers by load",
        ),
        Limit(
            "images as files on one disk of 16 TB",
            16e12 / (photo.photo_bytes + photo.file_bytes),
            "an object store",
        ),
        Limit(
            f"the list of images in a Redis of {prices.memory_gb:g} GB",
            memory / measured.catalogue_bytes,
            "collections on Redis servers of their own; beyond that a database keeps the list",
        ),
        Limit(
            "1,000 shards, each asked by every search",
            1000 * demand.shard_points / photo.regions,
            "few vectors a photo find the photo, and its places are read off afterwards; or "
            "searches that name a collection, a place or a time",
        ),
    ]
    return sorted(found, key=lambda limit: limit.photos)
