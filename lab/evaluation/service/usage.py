"""What indexing cost: seconds of processes, bytes of folders."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

BLOCK_BYTES = 512
"""What `st_blocks` counts in, whatever the file system's own blocks are."""


def cpu_s(groups: Collection[int]) -> float:
    """Return the seconds of processor time that the process groups took so far; NaN without /proc.

    What processes took that have ended counts where a parent within the groups waited for them.
    """
    if not Path("/proc/self/stat").is_file():
        return float("nan")
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[2]) in groups:
            ticks += sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def disk_bytes(folder: Path, name: str = "*") -> int:
    """Return what the files of that name in and below a folder take on disk, 0 where none is.

    Files with holes count as what is really written.
    """
    files = [path for path in folder.rglob(name) if path.is_file()]
    return sum(path.stat().st_blocks * BLOCK_BYTES for path in files)


def stored_bytes(data_dir: Path, collection: str) -> Mapping[str, int]:
    """Return what a collection takes on disk in the service's data folder, by kind."""
    images = data_dir / "images" / collection
    return {
        "photos as posted": disk_bytes(images, "photo"),
        "thumbnails": disk_bytes(images, "thumbnail.jpg"),
        "lists of regions": disk_bytes(images, "regions.*"),
        "local features": disk_bytes(images, "local.bin"),
        "embeddings and payloads": _shard_bytes(data_dir / "vectors", collection),
        "visual words": _shard_bytes(data_dir / "words", collection),
    }


def _shard_bytes(home: Path, collection: str) -> int:
    """Return what a collection's points take: after the index was rebuilt they lie in `name.1`."""
    return sum(disk_bytes(home / name) for name in (collection, *_rebuilt(home, collection)))


def _rebuilt(home: Path, collection: str) -> list[str]:
    return [path.name for path in home.glob(f"{collection}.*")]
