"""Keeping the leases of what this process has taken from the queues (`common/deliveries.py`).

A worker that is killed, stopped or cut off says nothing, and its tasks go to another. One that
lives says so every few seconds, in a thread and by a connection of its own, whatever its tasks do.
A task that takes longer than any may is spoken for no longer: its thread hangs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from celery.worker import state

from common.deliveries import renew
from common.errors import BrokerUnavailable
from common.redis import Client

log = logging.getLogger(__name__)

RENEW_S = 4.0


class Leases:
    """Renews the leases of the tasks that this process has begun, or taken to begin them.

    `longest_s` says for each queue how long a task of it may take.
    """

    def __init__(
        self, redis: Client, longest_s: Mapping[str, float], end: Callable[[], object]
    ) -> None:
        self._redis = redis
        self._longest_s = longest_s
        self._end = end
        self._since: dict[str, float] = {}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._run, name="leases", daemon=True).start()

    def renew(self, now: float) -> list[str]:
        """Say once that they are worked on; return those that were taken over. `now` is monotonic.

        Raises BrokerUnavailable.
        """
        queues = _taken()
        self._since = {name: self._since.get(name, now) for name in queues}
        spoken_for = [
            name for name, since in self._since.items()
            if now - since <= self._longest_s.get(queues[name], 0)
        ]  # fmt: skip
        return renew(self._redis, spoken_for)

    def _run(self) -> None:
        told: set[str] = set()
        try:
            pause = threading.Event()
            while not pause.wait(RENEW_S):
                try:
                    gone = set(self.renew(time.monotonic()))
                except BrokerUnavailable:
                    continue  # nobody's lease ends while Redis is away
                # Those that end just now are gone as well: twice in a row is no chance.
                if lost := (gone & told):
                    log.warning("%d tasks of this process were taken over by others", len(lost))
                told = gone - lost
        except BaseException:
            log.exception("leases are no longer renewed: the process ends")
        self._end()


def _taken() -> dict[str, str]:
    """Return the queues of the deliveries that this process has, by the deliveries' names."""
    # Other threads change these weak sets; a tuple of the references is made in one step.
    references = (*tuple(state.reserved_requests.data), *tuple(state.active_requests.data))
    requests = [request for refer in references if (request := refer()) is not None]
    return {
        request.message.delivery_tag: (request.delivery_info or {}).get("routing_key", "")
        for request in requests
    }
