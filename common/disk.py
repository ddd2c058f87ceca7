"""Space on the disk of the data folder: who may still write how much when it runs out.

A disk that is full ends the process that writes to a mapped file (SIGBUS), so nobody may come to
its end. What takes space gives way in an order: new images first, then indexing what was taken, and
last the few bytes that searches and deletions need.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from common.errors import DiskFull
from common.sizes import sized


class Use(Enum):
    """What space is for, and the share of the least free space from which on there is none."""

    ACCEPT = 1.0
    """Images that are posted, and copies that may as well be made later."""
    INDEX = 0.5
    """What is written of images that were taken."""
    ANSWER = 0.125
    """Queries, and what the index writes for itself when it is opened and asked."""


@dataclass(frozen=True)
class Disk:
    """The disk that a folder is on. `least_bytes` is what has to be free; 0 asks for nothing."""

    folder: Path
    least_bytes: int

    def free_bytes(self) -> int:
        """Return how much may be written."""
        found = os.statvfs(_existing(self.folder))
        return found.f_bavail * found.f_frsize

    def check(self, use: Use, more_bytes: int = 0) -> None:
        """Raise DiskFull where so many bytes more would leave too little for what comes first."""
        if not self.least_bytes:
            return
        free, least = self.free_bytes(), int(self.least_bytes * use.value)
        if free - more_bytes < least:
            raise DiskFull(
                f"The disk is full: {sized(free)} are left where the data folder is, and "
                f"{sized(least + more_bytes)} are needed. Make room there, or delete images."
            )

    def has(self, use: Use) -> bool:
        """Tell whether there is space for a use."""
        try:
            self.check(use)
        except DiskFull:
            return False
        return True


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
