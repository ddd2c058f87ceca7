"""The way of a batch from an index worker to whoever writes the vectors.

Qdrant Edge belongs to one process, the search worker. An index worker beside it leaves the batch
as a file in the image store and sends the key, so that no vector travels through Redis.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import NotFound
from common.images import ImageStore
from common.metrics import meters
from common.queue import COMMIT_TASK, STORE, TaskQueue
from worker.indexing.batch import Batch


@dataclass(frozen=True)
class Forwarder:
    """Hands batches to the process that owns the vector store."""

    images: ImageStore
    queue: TaskQueue

    def commit(self, batch: Batch) -> None:
        """See Committer. The items end when the owner has written the batch."""
        key = handover_key(batch.job_id, batch.images[0].item.index)
        with meters().stage("hand_over"):
            self.images.put(key, batch.to_bytes())
            self.queue.submit(COMMIT_TASK, STORE, {"job_id": batch.job_id, "key": key})


def handover_key(job_id: str, first_item: int) -> str:
    """Return the key of a batch: a task that runs twice writes the same file again."""
    return f"handover/{job_id}-{first_item}.npz"


def handed_over(images: ImageStore, key: str) -> Batch | None:
    """Return the batch that was left under `key`; None when it was written before and removed."""
    try:
        return Batch.from_bytes(images.open(key))
    except NotFound:
        return None
