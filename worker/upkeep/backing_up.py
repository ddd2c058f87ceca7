"""A backup of a running service, as it would be found after all of it was killed at one moment.

What a killed service leaves is made good when it starts: tasks are taken up again, and every step
may run twice. So it is enough that points, words and Redis are of one moment and that no file is
missing that they speak of. Writers of points wait while the shards are copied, Redis is read and
the files are linked; searches and uploads go on. Files are linked before Redis is read, for images
that are deleted meanwhile, and after it, for those that come. They are replaced and never changed,
so that a link is as good as a copy.

Images that are kept in a bucket stay there, and the backup goes there, too: whoever hands it out
shares no disk with the process that makes it.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common import backups
from common.contract.answers import BackedUp
from common.errors import BackupFailed, DiskFull, StoreUnavailable
from worker.context import Base
from worker.indexing.committing import Writer

TELL_EVERY = 1000
"""Files after which the job is told how far it is."""
FILES_AN_IMAGE = 4


@dataclass(frozen=True)
class Backup:
    """Makes the backup of a job."""

    base: Base
    writer: Writer
    job_id: str

    def make(self) -> BackedUp:
        """Make it in the data folder, in place of any before. Raises BackupFailed."""
        data_dir, images = self.base.settings.data_dir, self.base.images
        unready = data_dir / backups.FOLDER / f"{self.job_id}.new"
        try:
            shutil.rmtree(unready.parent, ignore_errors=True)
            images.delete_folder(backups.FOLDER)
            unready.mkdir(parents=True)
            unready.chmod(0o700)  # Redis's jobs are in it
            has_vectors = self.writer.store.engine.snapshot(
                unready, lambda: self._copy(data_dir, unready)
            )
            for name in backups.SHARDS:
                _pack(unready / name)
            head = self._head(has_vectors)
            (unready / backups.HEAD).write_text(head.model_dump_json())
            images.adopt(unready, backups.folder_of(self.job_id))
            images.put(f"{backups.folder_of(self.job_id)}/{backups.COMPLETE}", b"")
        except (OSError, StoreUnavailable, DiskFull) as exc:
            # Not to be tried again by itself: a full disk would fill again and again.
            raise BackupFailed(f"The backup could not be made: {exc}") from exc
        finally:
            shutil.rmtree(unready, ignore_errors=True)
        return BackedUp(images=head.images, collections=head.collections, has_vectors=has_vectors)

    def _head(self, has_vectors: bool) -> backups.Head:
        catalogue = self.base.catalogue
        collections = catalogue.collections()
        return backups.Head(
            job_id=self.job_id,
            created_at=time.time(),
            images=sum(catalogue.count(one.name) for one in collections),
            collections=len(collections),
            has_vectors=has_vectors,
            image_store=self.base.settings.image_store,
        )

    def _copy(self, data_dir: Path, target: Path) -> None:
        """Copy Redis, and link every file that it may speak of, where they are on this disk."""
        self._link_files(data_dir, target)
        with (target / backups.REDIS).open("wb") as file:
            backups.dump_redis(self.base.settings.redis_url, file)
        self._link_files(data_dir, target)

    def _link_files(self, data_dir: Path, target: Path) -> None:
        if not self.base.images.on_disk:
            return
        names = [one.name for one in self.base.catalogue.collections()]
        total = FILES_AN_IMAGE * sum(map(self.base.catalogue.count, names))
        linked = 0

        def tell() -> None:
            nonlocal linked
            linked += 1
            if linked % TELL_EVERY == 0:
                self.base.jobs.measure(self.job_id, done=linked, total=max(total, linked))

        for name in backups.FILES:
            _link_all(data_dir / name, target / name, tell)


def _link_all(source: Path, target: Path, tell: Callable[[], None]) -> None:
    """Link every file of a folder; what is removed meanwhile is left out."""
    for folder, _, files in os.walk(source):
        into = target / Path(folder).relative_to(source)
        into.mkdir(parents=True, exist_ok=True)
        for name in files:
            if not name.startswith(".new-"):  # half a file
                with suppress(FileNotFoundError, FileExistsError):
                    _link(Path(folder, name), into / name)
            tell()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:  # a file system without links
        if not target.exists():
            shutil.copy2(source, target)


def _pack(folder: Path) -> None:
    """Put each folder in the folder into one compressed file, in its place."""
    for shard in sorted(folder.iterdir()) if folder.exists() else ():
        with tarfile.open(shard.with_name(f"{shard.name}.tar.gz"), "w:gz", compresslevel=1) as tar:
            tar.add(shard, arcname=shard.name)
        shutil.rmtree(shard)
