"""`make acceptance`: does the whole service find things, keep them through a kill and a restart?

Starts a service of its own, posts the development photos over HTTP, kills the index worker's child
on the way, searches, restarts everything and searches again. Prints a table of what was measured
beside what is asked for, writes it as JSON, and ends with 1 when something asked for is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table

from common.geometry import Box
from lab.bench import faults
from lab.evaluation import perturb
from lab.evaluation.photos import Corners, Photo, photos, queries
from machine.stack import Stack
from needle import Needle
from needle.draw import open_upright
from needle.results import SearchResult

MIN_SHARE = 0.04
BUDGIE = (30, 260, 375, 600)
"""The budgie in the tutorial's photo, (x1, y1, x2, y2) in pixels."""
TUTORIAL_PHOTO = "cat-bird.jpeg"
TUTORIAL_QUERY = "bird.jpeg"
"""A warbler: of the same kind, and indexed itself like all pictures of its folder."""


@dataclass(frozen=True)
class Row:
    """A figure, with the least that is asked for (None: it is only reported)."""

    what: str
    value: float
    asked: float | None
    of: int

    @property
    def missed(self) -> bool:
        """Tell whether the figure is below what is asked for."""
        return self.asked is not None and self.value < self.asked


@dataclass
class Bench:
    """One run: a service, and the figures collected so far."""

    shared: Path
    stack: Stack
    console: Console

    def __post_init__(self) -> None:
        self.rows: list[Row] = []
        self.photos = photos(self.shared / "data" / "dev")

    def run(self) -> list[Row]:
        """Carry out every step and return the figures."""
        coco = [photo for photo in self.photos if photo.set == "coco256"]
        with self.stack, Needle(self.stack.base_url) as needle:
            self.stack.wait_ready()
            self.ingest_and_kill(needle, [photo.path for photo in coco])
            self.crops(needle, coco)
            rest = [photo.path for photo in self.photos if photo.set != "coco256"]
            self.ingest(needle, rest + sorted((self.shared / "data" / "demo").iterdir()))
            self.second_photographs(needle)
            self.budgie(needle, "")
            self.other_bird(needle)
            self.memory()
        with self.stack, Needle(self.stack.base_url) as needle:
            self.stack.wait_ready()
            self.budgie(needle, ", after a restart")
        return self.rows

    def add(self, what: str, good: Iterable[bool], asked: float | None = None) -> None:
        """Record the share of what was good."""
        results = list(good)
        row = Row(what, sum(results) / max(1, len(results)), asked, len(results))
        self.rows.append(row)
        self.console.print(f"{row.what}: {row.value:.3f} of {row.of}")

    def ingest(self, needle: Needle, paths: list[Path]) -> None:
        """Index photos and wait."""
        started = time.monotonic()
        job = needle.wait(needle.index(paths))
        took = time.monotonic() - started
        self.console.print(f"{len(paths)} photos in {took:.1f} s: {len(paths) / took:.2f} a second")
        self.add("photos indexed", [True] * job.progress.done + [False] * job.progress.failed, 1.0)

    def ingest_and_kill(self, needle: Needle, paths: list[Path]) -> None:
        """Index photos, kill the process that does it on the way, and count what is there."""
        started = time.monotonic()
        job = needle.index(paths)
        while needle.job(job.job_id).progress.done < len(paths) // 3:
            time.sleep(0.05)
        child = faults.worker_child("index", self.stack.data_dir)
        if child is None:
            raise RuntimeError("the index worker has no child to kill")
        faults.kill(child)
        job = needle.wait(job)
        took = time.monotonic() - started
        self.console.print(f"{len(paths)} photos in {took:.1f} s, the worker killed on the way")
        found = list(needle.images())
        self.add("photos there after kill -9", [n < len(found) for n in range(len(paths))], 1.0)
        points = needle.search(paths[0]).index["regions"]
        regions = sum(image.regions or 0 for image in found)
        self.add("no region doubled or lost by kill -9", [points == regions], 1.0)

    def crops(self, needle: Needle, photos: list[Photo]) -> None:
        """Search for one box of each photo, as it is and altered."""
        rng = random.Random(0)
        exact: list[bool] = []
        changed: list[bool] = []
        boxes: list[bool] = []
        spent: list[float] = []
        for photo in photos:
            large = [b for b in photo.boxes if b.area >= MIN_SHARE * photo.width * photo.height]
            if not large:
                continue
            corners = rng.choice(large).corners
            image = open_upright(photo.path)
            result = needle.search(perturb.png(perturb.crop(image, corners)))
            spent.append(result.timings_ms["total"])
            exact.append(_first(result) == photo.path.name)
            if exact[-1]:
                boxes.append(_iou(result, corners, image) >= 0.5)
            result = needle.search(perturb.png(perturb.altered(image, corners, rng)))
            changed.append(_first(result) == photo.path.name)
        self.add("exact crop of >= 4 %: its photo first", exact, 0.97)
        self.add("mirrored, brighter, reframed 12 %, JPEG 40: first", changed, 0.85)
        self.add("box of the exact crop's hit: IoU >= 0.5", boxes, 0.80)
        spent.sort()
        self.console.print(f"search: p50 {spent[len(spent) // 2]:.0f} ms, max {spent[-1]:.0f} ms")

    def second_photographs(self, needle: Needle) -> None:
        """Search for things photographed a second time."""
        groups: dict[str, list[tuple[bool, bool]]] = {}
        for query in queries(self.shared / "data" / "dev", self.photos):
            names = [match.filename for match in needle.search(query.path, limit=5).matches]
            first, five = names[0] in query.right, bool(query.right & set(names))
            groups.setdefault(query.set, []).append((first, five))
            if query.group != query.set:
                groups.setdefault(f"{query.set} {query.group}", []).append((first, five))
        for name, found in sorted(groups.items()):
            self.add(f"second photograph, {name}: recall@1", [first for first, _ in found])
            self.add(f"second photograph, {name}: recall@5", [five for _, five in found])

    def budgie(self, needle: Needle, when: str) -> None:
        """Search for the tutorial's bird: as it is, mirrored, and at half size."""
        photo = open_upright(self.shared / "data" / "demo" / TUTORIAL_PHOTO)
        bird = photo.crop(BUDGIE)
        half = bird.resize((bird.width // 2, bird.height // 2), Image.Resampling.LANCZOS)
        mirrored = bird.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for name, query in (("exact", bird), ("mirrored", mirrored), ("half size", half)):
            result = needle.search(perturb.png(query))
            right = _first(result) == TUTORIAL_PHOTO and _iou(result, BUDGIE, photo) >= 0.5
            self.add(f"budgie {name}: first, box on the bird{when}", [right], 1.0)

    def other_bird(self, needle: Needle) -> None:
        """Search for birds with the tutorial's query, the picture of another one."""
        query = self.shared / "data" / "demo" / TUTORIAL_QUERY
        matches = needle.search(query, same_kind=1, limit=6).matches
        names = [match.filename for match in matches if match.filename != query.name]
        self.add(
            "another bird: the budgie among five of its kind", [TUTORIAL_PHOTO in names[:5]], 1.0
        )

    def memory(self) -> None:
        """Look at the web server's memory after all that."""
        used = [faults.resident_mib(pid) for pid in faults.web_pids(self.stack.data_dir)]
        self.console.print("web processes: " + ", ".join(f"{mib:.0f} MiB" for mib in used))
        self.add("web process under 150 MB", [mib * 2**20 < 150e6 for mib in used], 1.0)


def _first(result: SearchResult) -> str | None:
    return result.best.filename if result.best else None


def _iou(result: SearchResult, corners: Corners, image: Image.Image) -> float:
    if result.best is None:
        return 0.0
    return Box(*result.best.hits[0].box).iou(Box.covering(corners, *image.size))


def table(rows: Iterable[Row]) -> Table:
    """Return the figures beside what is asked for."""
    drawn = Table("what", "measured", "asked", "of")
    for row in rows:
        asked = "" if row.asked is None else f">= {row.asked:.2f}"
        style = "red" if row.missed else ""
        drawn.add_row(row.what, f"{row.value:.3f}", asked, str(row.of), style=style)
    return drawn


def main() -> int:
    """Run the bench; 1 when a figure that is asked for is missed."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench.acceptance", description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="photos and weights")
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--json", type=Path, default=Path("data/acceptance.json"))
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NEEDLE_X=Y",
        help="a setting of the service, as NEEDLE_MODELS=folder",
    )
    arguments = parser.parse_args()
    console = Console()
    env = dict(setting.split("=", 1) for setting in arguments.set)
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(env, data_dir=Path(folder), port=arguments.port)
        rows = Bench(arguments.shared, stack, console).run()
    console.print(table(rows))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 1 if any(row.missed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
