"""A verify job, from its beginning to its report.

It reads every record and every point, which may take minutes. It is one task on a queue of its own:
killed, it begins again; delivered twice, the second finds that the job has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from common.catalogue import ImageRecord
from common.contract.answers import DamagedImage, OrphanedImage, Verified
from common.contract.fields import ImagePart
from common.contract.orders import VerifyOrder
from worker.context import Base
from worker.indexing.committing import Writer
from worker.upkeep.inspecting import MANY, Damage, Inspector, Orphans, batched
from worker.upkeep.repairing import LIST_LOST, Repairer

SHOWN = 1000
"""So many images are named in a report."""
TELL_EVERY = 1000
"""Points after which the job is told how far it is."""


class Ended(Exception):
    """The job was cancelled while it was worked on."""


@dataclass
class Progress:
    """What was looked at of what there is: images of the list, then points."""

    base: Base
    job_id: str
    total: int
    done: int = 0
    told: int = 0

    def add(self, count: int) -> None:
        """Count what was looked at. Raises Ended where nobody wants to know any more."""
        self.done += count
        if self.done - self.told >= TELL_EVERY or not self.told:
            self.told = self.done
            total = max(self.total, self.done)  # what comes meanwhile is looked at, too
            if not self.base.jobs.measure(self.job_id, done=self.done, total=total):
                raise Ended


@dataclass(frozen=True)
class Verifier:
    """Verifies a collection for a job."""

    base: Base
    writer: Writer
    inspector: Inspector

    @classmethod
    def of(cls, base: Base, writer: Writer) -> Verifier:
        """Return one that looks into the stores that the writer has open."""
        inspector = Inspector(writer.store, writer.words, writer.images, writer.catalogue)
        return cls(base, writer, inspector)

    def verify(self, job_id: str, order: VerifyOrder) -> Verified:
        """Look at everything, repair if that is wanted, and return the report. Raises Ended."""
        name = order.collection
        total = self.writer.catalogue.count(name) + self.writer.store.count(name)
        progress = Progress(self.base, job_id, total)
        listed = waiting = 0
        seen: list[Damage] = []
        for some in self._records(name):
            indexed = [record for record in some if record.indexed_at is not None]
            listed, waiting = listed + len(indexed), waiting + len(some) - len(indexed)
            seen += self.inspector.damaged(name, indexed)
            progress.add(len(indexed))
        orphans = self.inspector.orphans(name, progress.add)
        damaged = list(self.inspector.still_damaged(name, seen))
        report = _report(name, listed, waiting, damaged, orphans)
        return self._repaired(report, damaged, orphans) if order.repair else report

    def _records(self, collection: str) -> Iterator[list[ImageRecord]]:
        """Yield all records: read at once, since one that moves meanwhile would come twice."""
        records = {record.image_id: record for record in self.writer.catalogue.every(collection)}
        yield from batched(records.values(), MANY)

    def _repaired(self, report: Verified, damaged: Sequence[Damage], orphans: Orphans) -> Verified:
        base, name = self.base, report.collection
        repairer = Repairer(self.writer, base.jobs, base.queue, base.settings.chunk_size)
        if not report.images and not report.waiting and (orphans.found or orphans.strays):
            return report.model_copy(update={"note": LIST_LOST})
        removed = repairer.remove(name, orphans)
        job_id = repairer.index_again(name, damaged)
        return report.model_copy(update={"removed": removed, "repair_job": job_id})


def _report(
    collection: str, listed: int, waiting: int, damaged: Sequence[Damage], orphans: Orphans
) -> Verified:
    lost = [each.record.image_id for each in damaged if ImagePart.FILE in each.missing]
    return Verified(
        collection=collection,
        images=listed,
        whole=listed - len(damaged),
        waiting=waiting,
        damaged=len(damaged),
        missing=dict(Counter(part for each in damaged for part in each.missing)),
        orphaned=len(orphans.found),
        stray_points=len(orphans.strays),
        damaged_images=[
            DamagedImage(
                image_id=each.record.image_id,
                filename=each.record.filename,
                missing=list(each.missing),
            )
            for each in damaged[:SHOWN]
        ],
        orphaned_images=[
            OrphanedImage(image_id=image_id, found=sorted(parts))
            for image_id, parts in list(orphans.found.items())[:SHOWN]
        ],
        beyond_repair=lost[:SHOWN],
        removed=0,
        repair_job=None,
        note=None,
    )
