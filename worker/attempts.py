"""How often a task was begun, and what it died of: the memory that outlives a killed process."""

from __future__ import annotations

from common.redis import Client, translated


class Attempts:
    """Counts in Redis; `task_key` names a task across its attempts."""

    def __init__(self, redis: Client, *, ttl_s: int) -> None:
        self._redis = redis
        self._ttl_s = ttl_s

    def begin(self, task_key: str) -> int:
        """Count an attempt at the task and return how many there were, this one included."""
        return self._count(task_key, "task")

    def suspect(self, task_key: str, item: int) -> int:
        """Count an attempt at one item of the task, tried alone, and return how many there were."""
        return self._count(task_key, str(item))

    def forget(self, task_key: str) -> None:
        """Forget the task: it has ended, or what stopped it was no fault of its own."""
        with translated():
            self._redis.delete(_key(task_key))

    def _count(self, task_key: str, field: str) -> int:
        with translated():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hincrby(_key(task_key), field, 1)
            pipe.expire(_key(task_key), self._ttl_s)
            return int(pipe.execute()[0])


def _key(task_key: str) -> str:
    return f"needle:attempts:{task_key}"
