"""Backups: make one, fetch it as one file, remove it."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flask import Blueprint, Response

from common import backups
from common.contract.parameters import Wait
from common.errors import NotFound
from common.jobs import Kind, Status
from web.jobs import POSTED, job_answer
from web.operation import Answer, operation
from web.services import services
from web.upkeep import begin_backup
from web.waiting import waited

routes = Blueprint("backups", __name__)
TAR = "application/x-tar"
PART = 1 << 20


@routes.post("/backups")
@operation("service", POSTED, query=Wait, errors=(429,))
def create(parameters: Wait) -> Response:
    """Make a backup of everything but the keys, in the data folder, in place of the one before.

    Images, list, jobs, queues, points and visual words are as a service would leave them that was
    killed at one moment. Uploads and searches go on; what is to be written to the index waits while
    it is copied. Once the job has succeeded the backup can be fetched.
    """
    return job_answer(waited(begin_backup(services()), parameters.wait), created=True)


@routes.get("/backups/<job_id>")
@operation("service", {200: Answer(None, (TAR,))}, errors=(404,))
def fetch(job_id: str) -> Response:
    """Fetch a backup as a tar file, which `needle restore` reads. Its last member is `complete`."""
    return Response(_tar(_folder(job_id)), mimetype=TAR, direct_passthrough=True)


@routes.delete("/backups/<job_id>")
@operation("service", {204: Answer(None, ())}, errors=(404,))
def delete(job_id: str) -> Response:
    """Remove a backup from the data folder."""
    shutil.rmtree(_folder(job_id), ignore_errors=True)
    return Response(status=204)


def _folder(job_id: str) -> Path:
    """Return where a backup lies. Raises NotFound."""
    job = services().jobs.get(job_id)
    folder = backups.folder_of(services().settings.data_dir, job.job_id)
    made = job.kind is Kind.BACKUP and job.status is Status.SUCCEEDED
    if not made or not (folder / backups.COMPLETE).exists():
        raise NotFound(
            f"There is no backup '{job_id}': one that is fetched or replaced is removed."
        )
    return folder


def _tar(folder: Path) -> Iterator[bytes]:
    """Yield the folder as a tar file; a thread writes it into a pipe as fast as it is fetched."""
    reader, writer = os.pipe()
    with ThreadPoolExecutor(1, "backup") as pool, open(reader, "rb") as pipe:
        writing = pool.submit(_write, folder, writer)
        try:
            while part := pipe.read(PART):
                yield part
        finally:
            pipe.close()  # where nobody fetches any more, the thread finds out
        writing.result()


def _write(folder: Path, handle: int) -> None:
    """Write what tells of the backup first, and last what says that it is whole."""
    with open(handle, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|", bufsize=PART) as tar:
        tar.add(folder / backups.HEAD, arcname=backups.HEAD)
        for root, _, files in os.walk(folder):
            for path in (Path(root, name) for name in files):
                name = str(path.relative_to(folder))
                if name not in (backups.HEAD, backups.COMPLETE):
                    tar.add(path, arcname=name)
        tar.add(folder / backups.COMPLETE, arcname=backups.COMPLETE)
