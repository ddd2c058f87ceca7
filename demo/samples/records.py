"""What a sample set holds, and its file ``truth.json``."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1
"""Raised when the drawings change, so that a set on disk is drawn again."""

TRUTH = "truth.json"


@dataclass(frozen=True)
class Query:
    """A small picture to search for, and the truth about it.

    ``photo`` is the file name of the one photo that shows it and ``box`` where: x1, y1, x2, y2
    in pixels of that photo, half open. Both are None if no photo shows it. ``alteration`` says
    in words how the picture differs from what the photo shows.
    """

    name: str
    path: Path
    photo: str | None
    box: tuple[int, int, int, int] | None
    alteration: str


@dataclass(frozen=True)
class SampleSet:
    """The photos and the queries of one set, in the order they were drawn."""

    photos: tuple[Path, ...]
    queries: tuple[Query, ...]


@dataclass(frozen=True)
class Plan:
    """What decides every pixel of a set: seed, count of scenes, width and height of a photo."""

    seed: int
    scenes: int
    size: tuple[int, int]


def write(folder: Path, plan: Plan, made: SampleSet) -> None:
    """Write ``truth.json`` in one step: a set with that file is complete."""
    document = {
        "version": VERSION,
        "seed": plan.seed,
        "scenes": plan.scenes,
        "size": list(plan.size),
        "photos": [path.name for path in made.photos],
        "queries": [_row(query) for query in made.queries],
    }
    draft = folder / f"{TRUTH}.{os.getpid()}.part"
    draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / TRUTH)


def read(folder: Path) -> SampleSet:
    """The set in a folder.

    Raises FileNotFoundError if there is no finished set, ValueError if it is of another version.
    """
    document = _document(folder)
    if document.get("version") != VERSION:
        raise ValueError(
            f"{folder / TRUTH} is of version {document.get('version')},"
            f" not {VERSION}: generate the set again"
        )
    return SampleSet(
        tuple(folder / "photos" / name for name in document["photos"]),
        tuple(_query(folder, row) for row in document["queries"]),
    )


def finished(folder: Path, plan: Plan) -> SampleSet | None:
    """The set in a folder if it is complete and made by this very plan, or None."""
    try:
        document = _document(folder)
        made = read(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = (document["seed"], document["scenes"], document["size"]) == (
        plan.seed,
        plan.scenes,
        list(plan.size),
    )
    there = all(path.is_file() for path in (*made.photos, *(q.path for q in made.queries)))
    return made if same and there else None


def _document(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
    return document


def _row(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "file": query.path.name,
        "photo": query.photo,
        "box": list(query.box) if query.box else None,
        "alteration": query.alteration,
    }


def _query(folder: Path, row: dict[str, Any]) -> Query:
    box = row["box"]
    return Query(
        row["name"],
        folder / "queries" / row["file"],
        row["photo"],
        (box[0], box[1], box[2], box[3]) if box else None,
        row["alteration"],
    )
