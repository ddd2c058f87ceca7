"""What is said to be unchanged is there, or it is indexed again.

That an image was indexed before is read from the list. Its points may be gone all the same: a
folder was removed, another server was set. Only the owner of the vectors can tell; an index worker
beside it sends the question as a task, and the items end when it is answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from common.catalogue import Catalogue
from common.job_store import JobStore
from common.jobs import ItemStatus
from common.queue import CONFIRM_TASK, INDEX, INDEX_TASK, STORE, TaskQueue
from worker.indexing.presence import Presence


class Confirmer(Protocol):
    """Ends items whose images are indexed already, if they are."""

    def confirm(self, job_id: str, collection: str, images: Mapping[int, str]) -> None:
        """End these items as unchanged, or see to it that they are; `images` are ids by item.

        Those of which something is missing are sent to be indexed again.
        Raises StoreUnavailable or BrokerUnavailable.
        """
        ...


@dataclass(frozen=True)
class Owner:
    """Looks into the vector stores that this process has open."""

    presence: Presence
    catalogue: Catalogue
    jobs: JobStore
    queue: TaskQueue

    def confirm(self, job_id: str, collection: str, images: Mapping[int, str]) -> None:
        """See Confirmer. A task that runs twice asks twice, and changes nothing."""
        records = self.catalogue.find(collection, list(images.values()))
        there = self.presence.findable(collection, records.values())
        lost = [index for index, image_id in images.items() if image_id not in there]
        found = self.jobs.pick(job_id, [index for index in images if index not in lost])
        self.jobs.finish_items(
            job_id, [item.ended(ItemStatus.UNCHANGED, images[item.index]) for item in found]
        )
        self.catalogue.doubt(collection, [images[index] for index in lost])
        for first, last in _runs(lost):
            payload = {"job_id": job_id, "first": first, "last": last}
            self.queue.submit(INDEX_TASK, INDEX, payload)


@dataclass(frozen=True)
class Asker:
    """Has the owner of the vector stores look."""

    queue: TaskQueue

    def confirm(self, job_id: str, collection: str, images: Mapping[int, str]) -> None:
        """See Confirmer. The items end when the owner has looked."""
        payload = {"job_id": job_id, "collection": collection, "images": list(images.items())}
        self.queue.submit(CONFIRM_TASK, STORE, payload)


def _runs(indexes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each run of numbers that follow each other."""
    run: list[int] = []
    for index in sorted(indexes):
        if run and index != run[-1] + 1:
            yield run[0], run[-1]
            run = []
        run.append(index)
    if run:
        yield run[0], run[-1]
