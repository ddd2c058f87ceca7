"""Making good: damaged images are indexed again, what belongs to no image is removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.contract.fields import ImagePart
from common.contract.orders import IndexOrder
from common.errors import NeedleError
from common.ids import new_job_id
from common.job_store import JobStore
from common.jobs import Item, Kind
from common.queue import INDEX, INDEX_TASK, TaskQueue
from worker.indexing.committing import Writer
from worker.upkeep.inspecting import Damage, Orphans

LIST_LOST = (
    "The list has none of this collection's images, though files or points of some are there: the "
    "list itself seems to be lost. Nothing was removed. Restore a backup, or index the images "
    "again."
)


@dataclass(frozen=True)
class Repairer:
    """Repairs through the index queue and the stores that this process has open."""

    writer: Writer
    jobs: JobStore
    queue: TaskQueue
    chunk_size: int

    def index_again(self, collection: str, damaged: Sequence[Damage]) -> str | None:
        """Have the images indexed whose own file is there; return the job's id, None if none is.

        They are indexed as the settings say, with the metadata that they have.
        """
        records = [each.record for each in damaged if ImagePart.FILE not in each.missing]
        if not records:
            return None
        self.writer.catalogue.doubt(collection, [record.image_id for record in records])
        items = [Item(n, record.filename, record.image_id) for n, record in enumerate(records)]
        job_id = new_job_id()
        order = IndexOrder(collection=collection)
        self.jobs.create(job_id, Kind.INDEX, items, order.details())
        try:
            for first in range(0, len(items), self.chunk_size):
                last = min(first + self.chunk_size, len(items)) - 1
                payload = {"job_id": job_id, "first": first, "last": last}
                self.queue.submit(INDEX_TASK, INDEX, payload)
        except NeedleError:
            self.jobs.discard(job_id)
            raise
        return job_id

    def remove(self, collection: str, orphans: Orphans) -> int:
        """Remove what belongs to no image; return of how many images.

        One that is posted again meanwhile is left alone.
        """
        for image_id in orphans.found:
            self.writer.discard(collection, image_id)
        self.writer.store.delete_strays(collection, orphans.strays)
        return len(orphans.found)
