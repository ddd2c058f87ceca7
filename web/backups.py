"""Backups: make one, fetch it as one file, remove it."""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import IO, cast

from flask import Blueprint, Response

from common import backups
from common.contract.parameters import Wait
from common.errors import NotFound
from common.images import ImageStore
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
    """Make a backup of everything but the keys, in place of the one before.

    Images, list, jobs, queues, points and visual words are as a service would leave them that was
    killed at one moment. Uploads and searches go on; what is to be written to the index waits while
    it is copied. Once the job has succeeded the backup can be fetched. Images that are kept in a
    bucket stay there and are not in it.
    """
    return job_answer(waited(begin_backup(services()), parameters.wait), created=True)


@routes.get("/backups/<job_id>")
@operation("service", {200: Answer(None, (TAR,))}, errors=(404,))
def fetch(job_id: str) -> Response:
    """Fetch a backup as a tar file, which `needle restore` reads. Its last member is `complete`."""
    return Response(_tar(services().images, _folder(job_id)), mimetype=TAR, direct_passthrough=True)


@routes.delete("/backups/<job_id>")
@operation("service", {204: Answer(None, ())}, errors=(404,))
def delete(job_id: str) -> Response:
    """Remove a backup."""
    services().images.delete_folder(_folder(job_id))
    return Response(status=204)


def _folder(job_id: str) -> str:
    """Return the folder of keys under which a backup lies. Raises NotFound."""
    job = services().jobs.get(job_id)
    folder = backups.folder_of(job.job_id)
    made = job.kind is Kind.BACKUP and job.status is Status.SUCCEEDED
    if not made or not services().images.exists(f"{folder}/{backups.COMPLETE}"):
        raise NotFound(
            f"There is no backup '{job_id}': one that is fetched or replaced is removed."
        )
    return folder


def _tar(images: ImageStore, folder: str) -> Iterator[bytes]:
    """Yield the folder as a tar file; a thread writes it into a pipe as fast as it is fetched."""
    reader, writer = os.pipe()
    with ThreadPoolExecutor(1, "backup") as pool, open(reader, "rb") as pipe:
        writing = pool.submit(_write, images, folder, writer)
        try:
            while part := pipe.read(PART):
                yield part
        finally:
            pipe.close()  # where nobody fetches any more, the thread finds out
        writing.result()


def _write(images: ImageStore, folder: str, handle: int) -> None:
    """Write what tells of the backup first, and last what says that it is whole."""
    ends = [f"{folder}/{name}" for name in (backups.HEAD, backups.COMPLETE)]
    with open(handle, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|", bufsize=PART) as tar:

        def add(key: str, size: int) -> None:
            member = tarfile.TarInfo(key.removeprefix(f"{folder}/"))
            member.size, member.mtime = size, int(time.time())
            with closing(images.stream(key)) as content:
                tar.addfile(member, cast(IO[bytes], content))

        add(ends[0], images.size(ends[0]) or 0)
        for key, size in images.walk(folder):
            if key not in ends:
                add(key, size)
        add(ends[1], 0)
