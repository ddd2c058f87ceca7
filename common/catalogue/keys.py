"""The keys of a collection in Redis."""

from __future__ import annotations


def records_key(collection: str) -> str:
    """Return the hash of records, by image id."""
    return f"needle:images:{collection}"


def listing_key(collection: str) -> str:
    """Return the sorted set of indexed images, by when they were listed."""
    return f"needle:listing:{collection}"


def claims_key(collection: str) -> str:
    """Return the hash of jobs that want images that are not indexed yet."""
    return f"needle:claims:{collection}"


def paths_key(collection: str) -> str:
    """Return the hash of paths, by image id."""
    return f"needle:paths:{collection}"


def all_keys(collection: str) -> list[str]:
    """Return all of them, in the order in which the scripts take them."""
    more = [f"needle:{kind}:{collection}" for kind in ("regions", "claims", "paths")]
    return [records_key(collection), listing_key(collection), *more]
