"""The list of jobs, newest first: one sorted set of all, and one of each kind.

Jobs fade by themselves some time after they end; the list follows, a few entries with each new job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from common.clock import seconds, unix_s
from common.contract import orders
from common.job_keys import ENDED, listing_key, record_key
from common.jobs import Job, Kind, Status, parse
from common.paging import Page, Place, read
from common.redis import Client, translated

_FORGOTTEN_AT_ONCE = 20
_READ_AT_ONCE = 1000
Forget = Callable[[str], None]
"""Removes what is kept of a job outside of Redis; may be called twice for one job."""
# All of a record but its result, which may be large, and which `GET /jobs/{id}` has.
_FIELDS = (
    "kind", "status", "total", "done", "failed", "created_at", "started_at", "finished_at",
    "error", "details", "webhook",
)  # fmt: skip


class JobList:
    """Lists jobs; `JobStore` adds and removes them."""

    def __init__(self, redis: Client, forget: Forget = lambda job_id: None) -> None:
        self._redis = redis
        self._forget = forget

    def add(self, pipe: Client, job_id: str, kind: Kind, created_at: float) -> None:
        """Add a job, as part of the pipeline that records it."""
        for key in (listing_key(None), listing_key(kind)):
            pipe.zadd(key, {job_id: created_at})

    def remove(self, pipe: Client, job_ids: Sequence[str]) -> None:
        """Remove jobs, as part of a pipeline."""
        for key in (listing_key(None), ENDED, *(listing_key(kind) for kind in Kind)):
            pipe.zrem(key, *job_ids)

    def forget_faded(self) -> None:
        """Remove some of the jobs whose records have faded, more than one new job adds."""
        now = unix_s(self._redis)
        faded = self._redis.zrangebyscore(ENDED, 0, now, start=0, num=_FORGOTTEN_AT_ONCE)
        for job_id in faded:  # before the list does: what is cut off here is done again
            self._forget(job_id)
        if faded:
            pipe = self._redis.pipeline(transaction=True)
            self.remove(pipe, faded)
            pipe.execute()

    def page(
        self, place: Place, limit: int, *, kind: Kind | None = None, status: Status | None = None
    ) -> Page[Job]:
        """Return jobs without their results, newest first."""
        with translated():
            return read(
                self._redis,
                listing_key(kind),
                self._load,
                place=place,
                limit=limit,
                keep=None if status is None else lambda job: job.status is status,
            )

    def indexing(self, collection: str) -> Iterator[Job]:
        """Yield the jobs that index into a collection and have not ended."""
        for status in (Status.QUEUED, Status.STARTED):
            place = Place()
            while True:
                page = self.page(place, _READ_AT_ONCE, kind=Kind.INDEX, status=status)
                yield from (job for job in page.rows if orders.collection_of(job) == collection)
                if page.next is None:
                    break
                place = Place(page.next)

    def count(self, kind: Kind | None = None) -> int:
        """Return how many jobs are listed."""
        with translated():
            return int(self._redis.zcard(listing_key(kind)))

    def _load(self, job_ids: Sequence[str]) -> Mapping[str, Job]:
        pipe = self._redis.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hmget(record_key(job_id), _FIELDS)
        pipe.time()
        *rows, clock = pipe.execute()
        found = zip(job_ids, rows, strict=True)
        raw = {
            job_id: {name: value for name, value in zip(_FIELDS, row, strict=True) if value}
            for job_id, row in found
        }
        return {
            job_id: parse(job_id, fields, seconds(clock))
            for job_id, fields in raw.items()
            if fields
        }
