"""Needle over HTTP: from the first POST to the last photo searchable, and searches meanwhile."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.bench.children import peak_mib
from lab.bench.figures import HTTP, SMALL, Run, Spent
from lab.bench.samples import Sample, megapixels
from lab.evaluation.photos import Photo
from lab.evaluation.service.usage import cpu_s, stored_bytes
from machine.stack import Stack
from needle import Needle

READY_TIMEOUT_S = 600.0
SEARCHES_WARM = 3
LEFT_OUT = "photos as posted"
"""Kept apart from what Needle itself adds: `lab.evaluation.service.usage` names the kinds."""


@dataclass(frozen=True)
class Served:
    """What one run of the service showed.

    `bytes` are on disk, of a small photo, by what they are kept for. `idle_ms` and `busy_ms` are of
    searches: alone, and while photos were being indexed. `peaks_mib` is of each process.
    """

    runs: list[Run]
    models: Mapping[str, Any]
    bytes: Mapping[str, float]
    regions: float
    idle_ms: list[float]
    busy_ms: list[float]
    peaks_mib: Mapping[str, float]


def serve(
    env: Mapping[str, str],
    folder: Path,
    samples: Sequence[Sample],
    profiles: Sequence[str],
    bytes_of: str,
    queries: Sequence[bytes],
) -> Served:
    """Start a service, index every sample with every profile, and search.

    `bytes_of` is the profile whose bytes are counted, and which is searched.
    """
    stack = Stack(env, data_dir=folder, port=free_port())
    with stack, Needle(stack.base_url) as needle:
        models = stack.wait_ready(READY_TIMEOUT_S).get("models") or {}
        warm(needle, samples[0].photos[0], profiles)
        groups = [child.pid for child in stack.children if child.pid]
        runs = [
            index(needle, groups, HTTP, sample.size, sample.photos, profile)
            for sample in samples
            for profile in profiles
        ]
        name, small = collection(SMALL, bytes_of), samples[0]
        stored = stored_bytes(folder, name)
        idle = [searched(needle, query, name) for query in queries]
        return Served(
            runs,
            models,
            {kind: size / len(small.photos) for kind, size in stored.items()},
            sum(image.regions or 0 for image in needle.images(collection=name)) / len(small.photos),
            idle,
            while_indexing(needle, samples, queries, name),
            peaks(stack),
        )


def collection(size: str, profile: str) -> str:
    """Return the name of the collection of one sample and profile."""
    return f"{size}-{profile}"


def warm(needle: Needle, photo: Photo, profiles: Sequence[str]) -> None:
    """Index one photo and search for it: first passes of a network are slow."""
    for profile in profiles:
        needle.wait(needle.index(photo.path, collection="warm", profile=profile))
    for _ in range(SEARCHES_WARM):
        needle.search(photo.path, collection="warm")


def index(
    needle: Needle,
    groups: Sequence[int],
    way: str,
    size: str,
    photos: Sequence[Photo],
    profile: str | None,
    into: str | None = None,
) -> Run:
    """Index photos and wait until the last is searchable.

    Raises RuntimeError where one was not indexed.
    """
    options: dict[str, Any] = {"profile": profile} if profile else {}
    name = into or collection(size, profile or "default")
    started, cpu = time.perf_counter(), cpu_s(groups)
    job = needle.wait(needle.index([photo.path for photo in photos], collection=name, **options))
    spent = Spent(time.perf_counter() - started, cpu_s(groups) - cpu)
    if job.progress.done != len(photos):
        why = {item.reason for item in needle.items(job) if item.reason}
        raise RuntimeError(
            f"{job.progress.failed} of {len(photos)} photos failed: {', '.join(why)}"
        )
    return Run(way, size, profile, len(photos), megapixels(photos), spent)


def searched(needle: Needle, query: bytes, name: str) -> float:
    """Search and return the milliseconds until the answer was here."""
    started = time.perf_counter()
    needle.search(query, collection=name)
    return (time.perf_counter() - started) * 1000


def while_indexing(
    needle: Needle, samples: Sequence[Sample], queries: Sequence[bytes], name: str
) -> list[float]:
    """Search while everything is indexed once more; end that when the last query is answered."""
    paths = [path for sample in samples for path in sample.paths]
    jobs = [needle.index(paths, collection=f"again-{n}", profile="thorough") for n in range(2)]
    found = []
    for query in queries:
        found.append(searched(needle, query, name))
        if all(needle.job(job.job_id).final for job in jobs):
            found.pop()  # it may have had the machine for itself
            break
    for job in jobs:
        if not needle.job(job.job_id).final:
            needle.cancel(job.job_id)
    return found


def peaks(stack: Stack) -> dict[str, float]:
    """Return the peak of the resident memory of each process, MiB; of a group's, each by itself."""
    found = {}
    for child in stack.children:
        for number, pid in enumerate(members(child.pid or 0)):
            suffix = f" {number + 1}" if number else ""
            found[f"{child.name}{suffix}"] = peak_mib(pid)
    return found


def members(group: int) -> list[int]:
    """Return the ids of a process group's processes, ascending."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[2]) == group:
            found.append(int(path.parent.name))
    return sorted(found)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
