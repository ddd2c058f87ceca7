"""Photos into the running service, over HTTP, and what that cost."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from lab.evaluation.photos import Photo
from lab.evaluation.service.usage import cpu_s, stored_bytes
from machine.stack import Stack
from needle import Needle
from needle.ids import file_digest, image_id
from needle.jobs import Job

DIGITS = 10


@dataclass(frozen=True)
class Spent:
    """What indexing a collection took: seconds over all photos, NaN where nobody has measured it.

    `cpu_s` is that of every process of the service together; `wall_s` is the time that passed.
    """

    photos: int
    wall_s: float = math.nan
    cpu_s: float = math.nan


@dataclass(frozen=True)
class Collection:
    """The photos as the service holds them: `ids[n]` is the image id of the photo number `n`.

    `folds[n]` is the metadata by which a filter leaves it out. `failed` photos could not be
    indexed. `bytes` are on disk, by kind, over all photos; `regions` is how many are searched.
    """

    name: str
    ids: tuple[str, ...]
    folds: tuple[int, ...]
    spent: Spent
    failed: tuple[str, ...]
    bytes: Mapping[str, int]
    regions: int

    @property
    def photos(self) -> int:
        """How many different photos there are."""
        return len(set(self.ids))


def index_photos(
    photos: Sequence[Photo], folds: Sequence[int], stack: Stack, needle: Needle, console: Console
) -> Collection:
    """Index the photos into a collection of their own and wait; what is indexed is left alone."""
    digests = [file_digest(photo.path) for photo in photos]
    name = collection_name(digests, folds)
    job, took = _index(photos, folds, name, stack, needle, console)
    statuses = [item for item in needle.items(job)]
    failed = tuple(item.name for item in statuses if item.status not in ("indexed", "unchanged"))
    fresh = sum(item.status == "indexed" for item in statuses)
    spent = remembered(stack.data_dir / f"spent-{name}.json", took, fresh >= len(set(digests)))
    return Collection(
        name,
        tuple(image_id(digest, name) for digest in digests),
        tuple(folds),
        spent,
        failed,
        stored_bytes(stack.data_dir, name),
        sum(image.regions or 0 for image in needle.images(collection=name)),
    )


def collection_name(digests: Sequence[str], folds: Sequence[int]) -> str:
    """Return the name of the collection of just these photos, whatever folder they lie in."""
    every = "\n".join(
        sorted(f"{digest} {fold}" for digest, fold in zip(digests, folds, strict=True))
    )
    return f"eval-{len(digests)}-{hashlib.sha256(every.encode()).hexdigest()[:DIGITS]}"


def _index(
    photos: Sequence[Photo],
    folds: Sequence[int],
    name: str,
    stack: Stack,
    needle: Needle,
    console: Console,
) -> tuple[Job, Spent]:
    """Index and return the job and what it took."""
    parts: dict[int, list[Path]] = defaultdict(list)
    for photo, fold in zip(photos, folds, strict=True):
        parts[fold].append(photo.path)
    groups = [child.pid for child in stack.children if child.pid]
    started, before = time.monotonic(), cpu_s(groups)
    with Progress(console=console) as progress:
        bar = progress.add_task("indexing", total=len(photos))
        jobs = [
            needle.index(paths, collection=name, metadata={"fold": fold})
            for fold, paths in sorted(parts.items())
        ]
        job = needle.wait(
            Job.merged(jobs),
            on_progress=lambda now: progress.update(bar, completed=now.progress.ended),
        )
    return job, Spent(len(photos), time.monotonic() - started, cpu_s(groups) - before)


def remembered(path: Path, took: Spent, all_new: bool) -> Spent:
    """Return what indexing took: now if all photos were new, else when they were."""
    if all_new:
        path.write_text(json.dumps(asdict(took)), encoding="utf-8")
        return took
    if path.is_file():
        return Spent(**json.loads(path.read_text(encoding="utf-8")))
    return Spent(took.photos)
