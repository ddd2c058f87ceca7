"""Opening the shards of Qdrant Edge: one that cannot be opened stops none of the others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from common.errors import NeedleError, StoreUnavailable
from worker.vectors.edge import folders
from worker.vectors.edge.errors import is_of_the_machine, translated
from worker.vectors.edge.shelf import EdgeShelf

log = logging.getLogger(__name__)


def opened(home: Path) -> dict[str, EdgeShelf]:
    """Return every collection's shard that can be opened; set aside what cannot.

    Raises StoreUnavailable where the machine is at fault (no space, no memory): a shard that is
    whole must not be set aside for that.
    """
    found: dict[str, EdgeShelf] = {}
    for name, candidates in folders.settled(home).items():
        shelf = _first(candidates)
        if shelf is not None:
            found[name] = shelf
    return found


def _first(candidates: Sequence[Path]) -> EdgeShelf | None:
    """Open the first that can be, and remove those after it, whose place it took."""
    for number, folder in enumerate(candidates):
        shelf = _open(folder)
        if shelf is not None:
            for former in candidates[number + 1 :]:
                folders.remove(former)
            return shelf
    return None


def _open(folder: Path) -> EdgeShelf | None:
    try:
        with translated():
            return EdgeShelf.open(folder)
    except NeedleError as error:
        if is_of_the_machine(error.__cause__ or error):
            message = f"The index in {folder} cannot be opened just now: {error.message}"
            raise StoreUnavailable(message) from error
        kept = folders.set_aside(folder)
        log.error(
            "%s cannot be opened and is kept as %s; its collection is searched without it: %s",
            folder, kept.name, error.message,
        )  # fmt: skip
        return None
