"""Making a data folder of a backup.

All of it is made beside the folder and takes its place in the end, so that a restore that is cut
short leaves nothing that could be taken for a service.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from common import backups
from common.errors import BackupBroken
from common.job_store import JobStore
from common.redis import connect
from machine.stack import lock, redis_server
from machine.stack.process import Child, Watchdog

GRACE_S = 60.0
BLOCK = 64 * 1024


def restore(file: Path, data_dir: Path, env: Mapping[str, str]) -> backups.Head:
    """Make the data folder, which is empty or not there yet, and fill Redis; return what it has.

    With NEEDLE_REDIS_URL in `env` it is that Redis, else the one that lies in the data folder.
    Raises BackupBroken, BrokerUnavailable, or StackError where no Redis runs.
    """
    folder = data_dir.expanduser().absolute()
    if folder.exists() and any(folder.iterdir()):
        raise BackupBroken(f"{folder} is not empty; a backup is restored into a new folder.")
    beside = folder.with_name(f".{folder.name}.restoring")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        head = _unpack(file, beside)
        _fill_redis(beside, head, env)
        for name in (backups.HEAD, backups.COMPLETE, backups.REDIS):
            (beside / name).unlink()
        beside.rename(folder)
    except (OSError, tarfile.TarError) as exc:
        raise BackupBroken(f"{file} cannot be restored: {exc}") from exc
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return head


def _unpack(file: Path, into: Path) -> backups.Head:
    with tarfile.open(file) as tar:
        for member in tar:
            _unpack_member(tar, member, into)
    if not (into / backups.COMPLETE).exists():
        raise BackupBroken(f"{file} is no backup, or not whole.")
    try:
        head = backups.Head.model_validate_json((into / backups.HEAD).read_text())
    except ValidationError as exc:
        raise BackupBroken(f"{file} is no backup that this version reads: {exc}") from exc
    for name in backups.SHARDS:
        for packed in sorted((into / name).glob("*.tar.gz")):
            _unpack_shard(packed)
            packed.unlink()
    return head


def _unpack_shard(packed: Path) -> None:
    """Unpack a shard beside its file, and leave holes where there is nothing but zeros."""
    with tarfile.open(packed) as tar:
        for member in tar:
            _unpack_member(tar, member, packed.parent)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    """Unpack a file or a folder. Raises TarError for anything else, and for places elsewhere.

    tarfile's own filters came with Python 3.11.4.
    """
    path = into / member.name
    if ".." in path.parts or not path.is_relative_to(into):
        raise tarfile.TarError(f"it has a file outside of it: {member.name}")
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    content = tar.extractfile(member) if member.isfile() else None
    if content is None:
        raise tarfile.TarError(f"it has what is neither a file nor a folder: {member.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while block := content.read(BLOCK):
            if block.count(0) == len(block):
                file.seek(len(block), os.SEEK_CUR)
            else:
                file.write(block)
        file.truncate(member.size)


def _fill_redis(folder: Path, head: backups.Head, env: Mapping[str, str]) -> None:
    given = env.get("NEEDLE_REDIS_URL")
    if given:
        _load(given, folder, head)
        return
    server = redis_server.prepare(folder, env)
    held = lock.hold(folder)
    guard = Watchdog(held, GRACE_S)
    child = Child(server.command, folder / "logs", guard)
    try:
        child.start()
        redis_server.wait_until_up(child, server.url)
        _load(server.url, folder, head)
        child.terminate()  # it writes its file down
        if not child.wait(time.monotonic() + GRACE_S):
            raise BackupBroken("Redis did not end, so that what it was given may not be kept.")
    finally:
        child.kill()
        guard.close()
        held.close()


def _load(url: str, folder: Path, head: backups.Head) -> None:
    with (folder / backups.REDIS).open("rb") as file:
        backups.load_redis(url, file)
    # The backup's own job was under way: begun again, it would make a backup of what is restored.
    client = connect(url)
    try:
        JobStore(client, url=url, ttl_s=1).discard(head.job_id)
    finally:
        client.close()
