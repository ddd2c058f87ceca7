"""A small disk of its own for a test: a file with a file system in it. Only root can mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(home: Path, mib: int) -> Iterator[Path | None]:
    """Give a folder on a disk of so many MiB, None where this machine makes none.

    Not tmpfs: there, reading a hole takes space.
    """
    folder, disk = home / "small", home / "disk"
    if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "mount"))):
        yield None
        return
    folder.mkdir()
    with disk.open("wb") as file:
        file.truncate(mib * 2**20)
    for command in (["mkfs.ext4", "-q", "-m", "0", str(disk)], ["mount", str(disk), str(folder)]):
        if subprocess.run(command, capture_output=True).returncode != 0:
            yield None
            return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        disk.unlink()
