"""The folders that Qdrant Edge's shards lie in: a shard is rebuilt beside itself, then replaced.

A shard of the collection `name` lies in `name`, after it was rebuilt in `name.1`, then in `name.2`.
A rebuilt one counts from the moment that its file READY is there. A shard is made under another
name and gets its own when it is whole; one that is removed loses its name before its first file.
Whatever was killed, and whenever: what has a name is whole, and the rest is removed when the
folders are opened next. What cannot be opened all the same is set aside and kept.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

from common.errors import StoreUnavailable

READY = ".ready"
MAKING, GOING = ".new-", ".gone-"
"""What the names of folders begin with that are being made or removed."""
ASIDE = ".unreadable-"
"""Comes after the name of a folder that was set aside, before the time at which it was."""


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


def settled(home: Path) -> dict[str, list[Path]]:
    """Return each collection's folders, the one that counts first; remove what was left of others.

    More than one has a name only where a rebuilt shard had just taken another's place.
    """
    found: dict[str, list[Path]] = {}
    for folder in sorted(home.iterdir(), key=lambda path: -_generation(path.name)):
        if not folder.is_dir() or ASIDE in folder.name:
            continue
        if folder.name.startswith((MAKING, GOING)):
            shutil.rmtree(folder, ignore_errors=True)
        elif _generation(folder.name) and not (folder / READY).exists():
            remove(folder)
        else:
            found.setdefault(folder.name.split(".")[0], []).append(folder)
    return found


def making(folder: Path) -> Path:
    """Return where the shard that is to lie in the folder is made; it is not there yet."""
    return folder.with_name(f"{MAKING}{folder.name}-{uuid4().hex}")


def give_name(made: Path, folder: Path) -> None:
    """Let a shard that was made count: it moves to its folder, whole."""
    for path in (made, made.parent):
        _sync(path)
    made.rename(folder)
    _sync(folder.parent)


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
        _sync(path)


def remove(folder: Path) -> None:
    """Remove a folder; an absent one is no error. What is still mapped from it stays readable.

    Half removed it must not count, so its name goes first.
    """
    going = folder.with_name(f"{GOING}{folder.name}-{uuid4().hex}")
    with suppress(FileNotFoundError):
        folder.rename(going)
        shutil.rmtree(going, ignore_errors=True)


def remove_all(folder: Path) -> None:
    """Remove a collection's folder, and before it those whose place it took, if any is left."""
    name = folder.name.split(".")[0]
    former = [path for path in folder.parent.glob(f"{name}*") if _is_before(path, folder)]
    for path in [*former, folder]:
        remove(path)


def set_aside(folder: Path) -> Path:
    """Rename a folder so that nobody opens it again, and return where it is kept."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = f"{folder.name}{ASIDE}{stamp}"
    aside, number = folder.with_name(name), 1
    while aside.exists():
        number += 1
        aside = folder.with_name(f"{name}-{number}")
    folder.rename(aside)
    return aside


def aside(home: Path) -> Sequence[Path]:
    """Return the folders that were set aside and are still there."""
    return sorted(path for path in home.iterdir() if ASIDE in path.name)


def copied(source: Path, target: Path) -> None:
    """Copy a shard's files, their holes as holes: most of a small shard's are."""
    shutil.copytree(
        source, target, copy_function=_copy, ignore=shutil.ignore_patterns(READY), symlinks=True
    )


def used_bytes(folder: Path) -> int:
    """Return what a shard takes on the disk, holes left out."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_blocks * 512 for path in files)


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


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_before(path: Path, folder: Path) -> bool:
    same = path.name.split(".")[0] == folder.name.split(".")[0]
    return same and ASIDE not in path.name and _generation(path.name) < _generation(folder.name)


def _generation(name: str) -> int:
    number = name.partition(".")[2]
    return int(number) if number.isdigit() else 0
