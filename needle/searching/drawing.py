"""What a search found, drawn into a folder: the query, and each image with its boxes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from PIL import Image

from needle.api import Needle
from needle.draw import open_upright
from needle.results import Box, SearchResult
from needle.searching.queries import Query

QUALITY = 90
_UNSAFE = re.compile(r"[^\w.-]+")


def draw_into(
    folder: Path, needle: Needle, query: Query, result: SearchResult, box: Box | None = None
) -> list[Path]:
    """Draw a result's matches, the best first, and its query; return the files.

    Raises OSError when one cannot be written, and what `Needle.file` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [_write_query(folder, needle, query, result, box)]
    for place, match in enumerate(result.matches, start=1):
        target = folder / f"{place:02}-{_safe(PurePosixPath(match.filename).stem)}.jpg"
        needle.draw(match).save(target, quality=QUALITY)
        drawn.append(target)
    return [path for path in drawn if path]


def folders(root: Path, queries: Iterable[Query]) -> Mapping[Query, Path]:
    """Return a folder for each query, called like it; of equal names, later ones get a number."""
    taken: set[str] = set()
    found: dict[Query, Path] = {}
    for query in queries:
        name = "-".join(map(_safe, PurePosixPath(query.name).with_suffix("").parts))[-100:]
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name}-{number}"
        taken.add(free)
        found[query] = root / free
    return found


def seen(
    needle: Needle, query: Query, box: Box | None, collection: str | None
) -> Image.Image | None:
    """Return the query as it was searched for; None for one that Pillow alone cannot read."""
    content = query.content
    if "image_id" in query.asked:
        content = needle.file(str(query.asked["image_id"]), collection=collection, drawable=True)
    if content is None:
        return None
    try:
        image = open_upright(content)
    except OSError:  # the service reads formats that Pillow alone does not
        return None
    return image.crop(box) if box else image


def _write_query(
    folder: Path, needle: Needle, query: Query, result: SearchResult, box: Box | None
) -> Path | None:
    """Write the query as a PNG, or its file as it is where Pillow alone cannot read it."""
    collection = result.matches[0].origin.collection if result.matches else None
    image = seen(needle, query, box, collection)
    if image:
        target = folder / "query.png"
        image.save(target)
        return target
    if isinstance(query.content, Path):
        target = folder / f"query{query.content.suffix.lower()}"
        target.write_bytes(query.content.read_bytes())
        return target
    return None


def _safe(name: str) -> str:
    """Return a name with nothing in it that a file system minds."""
    return _UNSAFE.sub("_", name).strip("._")[:80] or "image"
