"""The folders that Qdrant Edge's shards lie in: a shard is rebuilt beside itself, then replaced.

A shard of the collection `name` lies in `name`, after it was rebuilt in `name.1`, then in `name.2`.
A rebuilt one counts from the moment that its file READY is there; whatever was killed, when the
folders are opened next the last that counts is left and the others are removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from common.errors import StoreUnavailable

READY = ".ready"


def owned(root: Path) -> IO[str]:
    """Return the lock that makes this process the owner of the folder, until it is closed.

    Raises StoreUnavailable where another process has it.
    """
    lock = (root / ".owner").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        lock.close()
        message = "The index is open in another process; only one search worker may own it."
        raise StoreUnavailable(message) from exc
    return lock


def settled(home: Path) -> dict[str, Path]:
    """Return each collection's folder, and remove what was left of others."""
    found: dict[str, Path] = {}
    for folder in sorted(home.iterdir(), key=lambda path: _generation(path.name)):
        if not folder.is_dir():
            continue
        name, number = folder.name.split(".")[0], _generation(folder.name)
        if number and not (folder / READY).exists():
            remove(folder)
            continue
        if name in found:
            remove(found[name])
        found[name] = folder
    return found


def following(folder: Path) -> Path:
    """Return the folder in which a shard is rebuilt; it is not there yet."""
    name = folder.name.split(".")[0]
    after = folder.with_name(f"{name}.{_generation(folder.name) + 1}")
    remove(after)
    return after


def count(folder: Path) -> None:
    """Let a rebuilt shard's folder count from now on, whatever happens."""
    with (folder / READY).open("w") as file:
        os.fsync(file.fileno())
    for path in (folder, folder.parent):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove(folder: Path) -> None:
    """Remove a folder; an absent one is no error. What is still mapped from it stays readable."""
    (folder / READY).unlink(missing_ok=True)  # half removed it must not count
    shutil.rmtree(folder, ignore_errors=True)


def copied(source: Path, target: Path) -> None:
    """Copy a shard's files, their holes as holes: most of a small shard's are."""
    shutil.copytree(
        source, target, copy_function=_copy, ignore=shutil.ignore_patterns(READY), symlinks=True
    )


def _copy(source: str, target: str) -> None:
    """Copy a file's data and leave what was never written unwritten."""
    with open(source, "rb") as old, open(target, "wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        start = 0
        while start < size:
            try:
                start = os.lseek(old.fileno(), start, os.SEEK_DATA)
            except OSError:  # only a hole is left
                return
            stop = os.lseek(old.fileno(), start, os.SEEK_HOLE)
            old.seek(start)
            new.seek(start)
            while start < stop:
                part = old.read(min(stop - start, 1 << 20))
                if not part:
                    return
                new.write(part)
                start += len(part)


def _generation(name: str) -> int:
    number = name.partition(".")[2]
    return int(number) if number.isdigit() else 0
