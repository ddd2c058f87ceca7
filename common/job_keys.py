"""The keys of Redis under which jobs are kept: the one place that spells them."""

from __future__ import annotations

from common.jobs import Kind

RECORDS = "needle:job:"
"""Goes before a job's id."""
ENDED = "needle:jobs:ended"
"""Sorted set of job ids by the time at which they fade; the scripts in `job_scripts` fill it."""


WEBHOOKS = "needle:webhooks"
"""Sorted set of ids of jobs that have ended, by when their webhooks are called next."""


def record_key(job_id: str) -> str:
    """Return the key of a job's record, a hash."""
    return f"{RECORDS}{job_id}"


def items_key(job_id: str) -> str:
    """Return the key of a job's items, a hash of JSON by index."""
    return f"{RECORDS}{job_id}:items"


def ended_key(job_id: str) -> str:
    """Return the key of the list that wakes waiters when the job ends."""
    return f"{RECORDS}{job_id}:ended"


def listing_key(kind: Kind | None) -> str:
    """Return the key of the list of jobs of a kind, a sorted set; of all jobs for None."""
    return "needle:jobs" if kind is None else f"needle:jobs:{kind.value}"


def script_keys(job_id: str) -> list[str]:
    """Return the keys that the scripts in `job_scripts` take, in their order."""
    return [record_key(job_id), items_key(job_id), ended_key(job_id), ENDED, WEBHOOKS]
