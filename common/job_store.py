"""Jobs in Redis. `GET /jobs/{id}` is one read of the record, whatever the job's size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import redis as redis_errors

from common import job_scripts as scripts
from common.clock import seconds, unix_s
from common.errors import NotFound
from common.job_keys import ended_key, items_key, record_key, script_keys
from common.job_list import Forget, JobList
from common.jobs import Item, ItemStatus, Job, Kind, Status, Webhook, parse
from common.metrics import meters
from common.redis import ANSWER_TIMEOUT_S, Client, connect, translated


class JobStore:
    """Jobs in Redis; each change is one atomic script."""

    def __init__(
        self, redis: Client, *, url: str, ttl_s: int, forget: Forget = lambda job_id: None
    ) -> None:
        self._redis = redis
        self._url = url
        self._ttl_s = ttl_s
        self.list = JobList(redis, forget)
        self._start = redis.register_script(scripts.START)
        self._finish_items = redis.register_script(scripts.FINISH_ITEMS)
        self._note_item = redis.register_script(scripts.NOTE_ITEM)
        self._end = redis.register_script(scripts.END)
        self._measure = redis.register_script(scripts.MEASURE)

    def create(
        self,
        job_id: str,
        kind: Kind,
        items: Sequence[Item],
        details: Mapping[str, object],
        webhook: str | None = None,
    ) -> None:
        """Record a queued job and its items. `details` are kept for the job's tasks.

        `webhook` is the URL that is called when it ends.

        An item that has already failed counts at once. Raises BrokerUnavailable.
        """
        failed = sum(item.status is ItemStatus.FAILED for item in items)
        record: dict[Any, Any] = {
            "kind": kind.value,
            "status": Status.QUEUED.value,
            "total": len(items),
            "done": 0,
            "failed": failed,
            "created_at": (now := unix_s(self._redis)),
            "details": json.dumps(details),
        }
        if webhook is not None:
            record["webhook"] = Webhook(webhook).to_json()
        with translated():
            pipe = self._redis.pipeline(transaction=True)
            for start in range(0, len(items), 1000):
                batch = {i.index: json.dumps(i.as_dict()) for i in items[start : start + 1000]}
                pipe.hset(items_key(job_id), mapping=batch)
            pipe.hset(record_key(job_id), mapping=record)
            self.list.add(pipe, job_id, kind, now)
            pipe.execute()
            self.list.forget_faded()
        for item in items:
            if item.status is ItemStatus.FAILED:
                meters().item(item)

    def get(self, job_id: str) -> Job:
        """Return a job, by one read. Raises NotFound or BrokerUnavailable."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hgetall(record_key(job_id))
            pipe.time()
            raw, clock = pipe.execute()
        if not raw:
            raise NotFound(f"There is no job '{job_id}'; finished jobs are forgotten after a time.")
        return parse(job_id, raw, seconds(clock))

    def is_open(self, job_id: str) -> bool:
        """Tell whether the job has not ended; one that is gone has."""
        try:
            return not self.get(job_id).status.final
        except NotFound:
            return False

    def items(self, job_id: str, *, offset: int, limit: int) -> list[Item]:
        """Return a page of the items, in the order in which they were posted."""
        with translated():
            found = self._redis.hmget(
                items_key(job_id), [str(n) for n in range(offset, offset + limit)]
            )
        return [Item.from_json(text) for text in found if text]

    def pick(self, job_id: str, indexes: Sequence[int]) -> list[Item]:
        """Return the items of those indexes that the job has."""
        if not indexes:
            return []
        with translated():
            found = self._redis.hmget(items_key(job_id), [str(n) for n in indexes])
        return [Item.from_json(text) for text in found if text]

    def start(self, job_id: str) -> bool:
        """Mark the job as started; False when it is gone, cancelled or has ended."""
        with translated():
            return bool(self._start(keys=[record_key(job_id)]))

    def finish_items(self, job_id: str, items: Sequence[Item]) -> Status | None:
        """Record how items ended and return the job's status, None when the job is gone.

        An item ends once: a repeat, or anything after a cancellation, changes nothing. The last
        item ends the job.
        """
        args: list[str | float] = [self._ttl_s]
        for item in items:
            args += [item.index, item.status.value, json.dumps(item.as_dict())]
        with translated():
            status = self._finish_items(keys=script_keys(job_id), args=args)
        for item in items:
            meters().item(item)
        return Status(status) if status else None

    def measure(self, job_id: str, *, done: int, total: int) -> bool:
        """Record how far a job is whose items do not end one by one; False when it has ended."""
        with translated():
            return bool(self._measure(keys=script_keys(job_id), args=[done, total]))

    def note_item(self, job_id: str, item: Item) -> bool:
        """Take down what is known of an item that has not ended; False when its job has."""
        with translated():
            args = [item.index, json.dumps(item.as_dict())]
            return bool(self._note_item(keys=script_keys(job_id), args=args))

    def succeed(self, job_id: str, result: object) -> bool:
        """End the job with its result; False when it had ended before."""
        return self._ended(job_id, Status.SUCCEEDED, "result", result)

    def fail(self, job_id: str, code: str, message: str, **details: object) -> bool:
        """End the job with an error; False when it had ended before."""
        error = {"code": code, "message": message, **details}
        return self._ended(job_id, Status.FAILED, "error", error)

    def cancel(self, job_id: str) -> Job:
        """End the job unless it has ended, and return it. Items not yet begun stay undone."""
        self._ended(job_id, Status.CANCELLED, "error", None)
        return self.get(job_id)

    def _ended(self, job_id: str, status: Status, name: str, value: object) -> bool:
        args: list[Any] = [status.value, name, json.dumps(value), self._ttl_s]
        with translated():
            kind = self._end(keys=script_keys(job_id), args=args)
        if kind and status is Status.FAILED:
            meters().job_failures.labels(kind, json.loads(args[2])["code"]).inc()
        return bool(kind)

    def discard(self, job_id: str) -> None:
        """Remove a job that could not be enqueued, so that no half job stays."""
        with translated():
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(record_key(job_id), items_key(job_id), ended_key(job_id))
            self.list.remove(pipe, [job_id])
            pipe.execute()

    def wait(self, job_id: str, timeout_s: float) -> Job:
        """Return the job once it has ended, or as it stands after `timeout_s` seconds."""
        job = self.get(job_id)
        if job.status.final or timeout_s <= 0:
            return job
        key = ended_key(job_id)
        with translated():
            waiter = connect(self._url, answer_timeout_s=timeout_s + ANSWER_TIMEOUT_S)
            try:
                # Moving the mark onto its own list wakes every waiter and leaves it in place.
                waiter.blmove(key, key, timeout_s, "LEFT", "RIGHT")
            except redis_errors.TimeoutError:
                pass  # Redis's clock was set back: it waits on, and the client has waited enough
            finally:
                waiter.close()
        return self.get(job_id)
