"""`python -m lab.bench.index`: what the embedded index costs on disk, finds, and how fast it is.

The points are those of a service's collection, or clustered random ones; more are made between near
ones. They go through the service's own store. Recall is against exact comparison in float32, of
queries that ask for a thing (the numbers that say the kind are 0) and of queries that ask for both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as qe

from common.contract.fields import HitSource
from common.geometry import Box
from worker.vectors.base import Hit, ImagePoints, Region, Vector
from worker.vectors.edge import Edge, folders
from worker.vectors.engine import Shelf, Sort
from worker.vectors.stores import VectorStore

NAME = "bench"
QUERIES = 200
NEIGHBOURS = 8
"""Made points lie between a point and one of so many near ones."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench.index", description=__doc__)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--of-an-image", type=int, default=450, help="regions of an image")
    parser.add_argument("--dim", type=int, default=320, help="of random vectors")
    parser.add_argument("--kind-dim", type=int, default=64, help="last numbers, of the kind")
    parser.add_argument("--data", type=Path, help="a stopped service's data folder")
    parser.add_argument("--collection", default="default")
    parser.add_argument("--vectors", type=Path, help="embeddings, .npy (n, dim), instead")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    known = _known(given, rng)
    vectors, queries = crowd(known, given.points, rng), asked(known, rng)
    print(
        f"{len(known):,} vectors of {known.shape[1]} numbers, {len(vectors):,} with those between"
    )
    with tempfile.TemporaryDirectory(prefix="needle-index-") as folder:
        facts = measure(Path(folder), vectors, queries, given.kind_dim, given.of_an_image)
    if given.json:
        given.json.write_text(json.dumps(facts, indent=1))
    return 0


def measure(
    folder: Path, vectors: Vector, queries: Vector, kind_dim: int, of_an_image: int
) -> list[dict[str, Any]]:
    """Write the vectors, search them, build the index and search again; return what was found."""
    store = VectorStore(Edge(folder))
    store.ensure_collection(NAME, vectors.shape[1])
    started = _processor_s()
    for image in _images(vectors, of_an_image):
        store.replace_images(NAME, [image])
    facts = [_cost("written", started, folder, len(vectors))]
    sorts = {"thing": _without_kind(queries, kind_dim), "thing and kind": queries}
    facts += [_search(store, vectors, sorts[sort], sort, True, of_an_image) for sort in sorts]
    started = _processor_s()
    store.engine.optimize(Shelf(Sort.REGIONS, NAME))
    facts.append(_cost("indexed", started, folder, len(vectors)))
    for exact in (True, False):
        facts += [_search(store, vectors, sorts[sort], sort, exact, of_an_image) for sort in sorts]
    store.close()
    return facts


def crowd(known: Vector, count: int, rng: np.random.Generator) -> Vector:
    """Return so many vectors: the known ones, and others between near ones, each of norm 1."""
    if count <= len(known):
        return known[:count]
    near = np.concatenate(
        [
            # A copy: a view would keep the whole row.
            np.argpartition(-(known[start : start + 1000] @ known.T), NEIGHBOURS, axis=1)[
                :, : NEIGHBOURS + 1
            ].copy()
            for start in range(0, len(known), 1000)
        ]
    )
    base = rng.integers(len(known), size=count - len(known))
    other = near[base, rng.integers(NEIGHBOURS + 1, size=len(base))]
    share = rng.random((len(base), 1), np.float32)
    made = rng.standard_normal((len(base), known.shape[1]), np.float32)
    made *= np.float32(0.2 / np.sqrt(known.shape[1]))
    made += known[base] * (1 - share) + known[other] * share
    return _normal(np.concatenate((known, made)))


def asked(known: Vector, rng: np.random.Generator) -> Vector:
    """Return queries: known vectors as if seen otherwise, cosine 0.9 to what they were."""
    chosen = known[rng.integers(len(known), size=QUERIES)]
    other = rng.standard_normal(chosen.shape).astype(np.float32)
    return _normal(chosen + other * np.float32(0.48 / np.sqrt(known.shape[1])))


def clustered(count: int, dim: int, rng: np.random.Generator) -> Vector:
    """Return random vectors in clusters of some forty, within each of some thirty directions."""
    centres = rng.standard_normal((max(count // 40, 20), dim))
    directions = rng.standard_normal((30, dim)) / np.sqrt(30)
    spread = rng.standard_normal((count, 30)) @ directions
    noise = rng.standard_normal((count, dim))
    return _normal(
        0.7 * centres[rng.integers(len(centres), size=count)] + 0.5 * spread + 0.3 * noise
    )


def _known(given: argparse.Namespace, rng: np.random.Generator) -> Vector:
    if given.vectors:
        return _normal(np.load(given.vectors))
    if given.data:
        return _normal(_of_service(given.data, given.collection))
    return clustered(min(given.points, 20_000), given.dim, rng)


def _of_service(data: Path, collection: str) -> Vector:
    """Return all embeddings of a stopped service's collection."""
    home = data / Sort.REGIONS.value
    with folders.owned(home):
        shard = qe.EdgeShard.load(str(folders.settled(home)[collection][0]))
        found: list[Any] = []
        offset = None
        while True:
            request = qe.ScrollRequest(offset=offset, limit=1000, with_vector=True)
            page, offset = shard.scroll(request)
            found += [point.vector for point in page]
            if offset is None:
                shard.close()
                return np.array(found, np.float32)


def _images(vectors: Vector, each: int) -> Iterator[ImagePoints]:
    side = int(np.ceil(np.sqrt(each)))
    boxes = [Box(16 * (n % side), 12 * (n // side), 16 * (n % side) + 64, 12 * (n // side) + 48)
             for n in range(each)]  # fmt: skip
    for number, start in enumerate(range(0, len(vectors), each)):
        own = vectors[start : start + each]
        name = f"{number:08}"
        regions = [
            Region(name, box, HitSource.TILE, "thing" if n % 2 else None, 0.5 if n % 2 else None)
            for n, box in enumerate(boxes[: len(own)])
        ]
        yield ImagePoints(name, "bench", regions, own)


def _search(
    store: VectorStore, vectors: Vector, queries: Vector, sort: str, exact: bool, each: int
) -> dict[str, Any]:
    right = np.argpartition(-(queries @ vectors.T), 10, axis=1)[:, :10]
    places = {box: n for n, box in enumerate(r.box for r in next(_images(vectors, each)).regions)}
    recall = []

    def few(query: Vector) -> list[Hit]:
        return store.search(NAME, query, limit=10, exact=exact)

    def many(query: Vector) -> list[Hit]:
        return store.search(NAME, query, limit=1000, exact=exact)

    for query, best in zip(queries, right, strict=True):
        found = {int(hit.region.image_id) * each + places[hit.region.box] for hit in few(query)}
        recall.append(len(found & set(best.tolist())) / 10)
    built = ", of a shard with an index" if store.state(NAME).indexed else ""
    fact = {
        "search": ("every point compared" if exact else "index") + built,
        "for": sort,
        "recall@10": round(float(np.mean(recall)), 4),
        "10": _timed(few, queries),
        "1000": _timed(many, queries[:50]),
    }
    print(" ", "  ".join(f"{name} {value}" for name, value in fact.items()), flush=True)
    return fact


def _timed(search: Callable[[Vector], Any], queries: Vector) -> dict[str, float]:
    """Return milliseconds of a search: what passed, and what the processor took (mean)."""
    seconds, before = [], time.process_time()
    for query in queries:
        started = time.perf_counter()
        search(query)
        seconds.append(time.perf_counter() - started)
    processor = (time.process_time() - before) / len(queries)
    p50, p95 = (float(np.percentile(seconds, share)) for share in (50, 95))
    return {
        "p50_ms": round(p50 * 1000, 2),
        "p95_ms": round(p95 * 1000, 2),
        "processor_ms": round(processor * 1000, 2),
    }


def _cost(what: str, started: float, folder: Path, points: int) -> dict[str, Any]:
    parts: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            part = path.relative_to(folder).parts[-2] if path.suffix == ".mmap" else path.name
            parts[part] = parts.get(part, 0) + os.stat(path).st_blocks * 512
    total = sum(parts.values())
    biggest = sorted(parts.items(), key=lambda pair: -pair[1])[:6]
    fact = {
        "state": what,
        "bytes_a_point": round(total / points, 1),
        "processor_us_a_point": round((_processor_s() - started) / points * 1e6),
        "parts": {name: round(size / points, 1) for name, size in biggest},
    }
    print(" ", "  ".join(f"{name} {value}" for name, value in fact.items()), flush=True)
    return fact


def _processor_s() -> float:
    """Return processor seconds of this process and of those that have ended below it."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _without_kind(queries: Vector, kind_dim: int) -> Vector:
    things = queries.copy()
    if kind_dim:
        things[:, -kind_dim:] = 0
    return _normal(things)


def _normal(vectors: Any) -> Vector:
    found: Vector = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


if __name__ == "__main__":
    sys.exit(main())
