"""`categories`: how well photos of one kind find each other, by folders that are named after kinds.

A folder of folders of photos, or a `.tar` archive of such folders (Caltech-101, say). What training
never saw says whether an encoder knows kinds, or only those that it was taught. Whole photos are
asked for as a search asks, and compared with whole photos as an index has them.
"""

from __future__ import annotations

import random
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image
from rich.console import Console
from rich.progress import track

from common import pictures
from common.settings import Settings
from lab.evaluation.embedder import Embedder, Encoders, GalleryBuilder, load_encoders
from lab.evaluation.photos import MAX_PIXELS
from lab.evaluation.report import ALL, SAME_KIND, Row, cell, plain, write_json
from lab.evaluation.retrieval import Truth, look_up

PHOTOS_EACH = 6
CLUTTER = ("BACKGROUND_Google",)
"""Folders of no kind: Caltech's, of whatever a search for "things" brought up."""
SUFFIXES = (".jpg", ".jpeg", ".png")
FIGURES = ("mean average precision", "macro mean average precision", "recall@1")


@dataclass(frozen=True)
class Categorised:
    """A photo, RGB, and the kind of what it shows."""

    image: Image.Image
    category: str


def run(
    source: Path,
    settings: Settings,
    chosen: dict[str, str],
    each: int,
    json: Path | None,
    console: Console,
) -> None:
    """Measure the encoders side by side, and show and write what came out."""
    encoders = load_encoders(chosen, settings)
    photos = list(drawn(source, each))
    rows = measure(photos, encoders, console)
    kinds = len({photo.category for photo in photos})
    title = f"{len(photos)} photos of {kinds} categories: the others of a photo's own"
    lines = [[row.encoder, *(cell(row.figures[name]) for name in FIGURES)] for row in rows]
    console.print(plain(title, ["", "mAP", "mAP, each category once", "first right"], lines))
    facts = {
        "command": "categories",
        "encoders": {name: getattr(encoder, "id", name) for name, encoder in encoders.items()},
        "photos": len(photos),
        "categories": kinds,
        "rows": [row.as_json() for row in rows],
    }
    write_json(json, facts, console)


def measure(photos: list[Categorised], encoders: Encoders, console: Console) -> list[Row]:
    """Return a row for each encoder, or part of one: every photo looks for those of its kind."""
    gallery, asked = GalleryBuilder(encoders, split=True), Embedder(encoders, split=True)
    for number, photo in enumerate(track(photos, "photos", console=console)):
        whole = (0.0, 0.0, float(photo.image.width), float(photo.image.height))
        gallery.add(number, photo.image, [whole])
        asked.add(photo.image)
    members = defaultdict(set)
    for number, photo in enumerate(photos):
        members[photo.category].add(number)
    truths = [
        Truth(frozenset(members[photo.category] - {number}), frozenset({number}))
        for number, photo in enumerate(photos)
    ]
    labels = tuple(photo.category for photo in photos)
    return [
        Row(
            SAME_KIND,
            "categories",
            ALL,
            name,
            look_up(gallery.gallery(name), asked.embeddings(name), truths),
            labels,
        )
        for name in gallery.parts.names
    ]


def drawn(source: Path, each: int) -> Iterator[Categorised]:
    """Yield up to `each` photos a category, drawn by always the same dice, category by category.

    Categories of fewer than two photos are left out. Raises FileNotFoundError where there is none.
    """
    if source.is_dir():
        names = [path.relative_to(source).as_posix() for path in source.glob("*/*")]
        for name, category in _chosen(names, each, source):
            yield Categorised(_decoded((source / name).read_bytes()), category)
        return
    if not source.is_file():
        raise FileNotFoundError(f"{source} is neither a folder of folders nor a .tar archive")
    with tarfile.open(source) as tar:
        members = {member.name: member for member in tar.getmembers() if member.isfile()}
        for name, category in _chosen(list(members), each, source):
            stream = tar.extractfile(members[name])
            assert stream is not None  # only files were listed
            yield Categorised(_decoded(stream.read()), category)


def _chosen(names: list[str], each: int, source: Path) -> list[tuple[str, str]]:
    """Return the paths of the photos that are taken, each with its category."""
    folders: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        path = PurePosixPath(name)
        if path.suffix.lower() in SUFFIXES and path.parent.name not in (*CLUTTER, ""):
            folders[path.parent.name].append(name)
    found: list[tuple[str, str]] = []
    for number, (category, own) in enumerate(sorted(folders.items())):
        random.Random(number).shuffle(own)
        found += [(name, category) for name in own[:each]] if len(own) > 1 else []
    if not found:
        raise FileNotFoundError(f"{source} holds no folders of photos")
    return found


def _decoded(content: bytes) -> Image.Image:
    return pictures.decode(content, max_pixels=MAX_PIXELS)
