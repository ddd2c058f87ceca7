"""One at a time changes what is stored of an image: its file, what lies beside it, its points.

The locks are those of the file system (flock), in a folder beside the images that every process
has. A process that dies lets go of them and one that is stopped does not: no lease runs out
while its holder still writes.
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from common.errors import StoreUnavailable
from common.images.store import Held

PATIENCE_S = 20.0
FILES = 1024
"""So many files are locked for any number of names: two that share one wait for each other."""
_POLL_S = 0.005


class Kept:
    """Locks of the file system: held until they are let go of."""

    def check(self) -> None:
        """See Held."""


@contextmanager
def locked(folder: Path, names: Iterable[str], *, within: Iterable[str] = ()) -> Iterator[Held]:
    """Hold the locks of `names` alone, and of `within`, which names lie in, with others.

    A thread that holds some must not ask for more. Raises StoreUnavailable where others hold them
    for long.
    """
    # Everybody asks in the same order, so that no two wait for each other.
    wanted = [(file, fcntl.LOCK_SH) for file in _files(folder / "shared", within)]
    wanted += [(file, fcntl.LOCK_EX) for file in _files(folder / "alone", names)]
    deadline = time.monotonic() + PATIENCE_S
    with ExitStack() as held:
        for file, kind in wanted:
            _lock(held.enter_context(_opened(file)), kind, deadline)
        yield Kept()


@contextmanager
def locked_whole(folder: Path, name: str) -> Iterator[Held]:
    """Hold a name that others lie in alone: nobody holds one that lies in it. See `locked`."""
    (file,) = _files(folder / "shared", [name])
    with _opened(file) as lock:
        _lock(lock, fcntl.LOCK_EX, time.monotonic() + PATIENCE_S)
        yield Kept()


def _files(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the files that are locked for some names, in the order in which they are."""
    numbers = {
        int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % FILES for name in names
    }
    return [folder / f"{number:03x}" for number in sorted(numbers)]


def _opened(file: Path) -> IO[bytes]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("ab")
    except OSError as exc:
        raise StoreUnavailable(f"The image store cannot be locked: {exc.strerror}.") from exc


def _lock(lock: IO[bytes], kind: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError as exc:
            if time.monotonic() > deadline:
                raise StoreUnavailable("Others are at work on the image; try again.") from exc
            time.sleep(_POLL_S)
        except OSError as exc:
            raise StoreUnavailable(f"The image store cannot be locked: {exc.strerror}.") from exc
