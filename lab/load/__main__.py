"""`python -m lab.load`: searches a second, refusals and waits, as ever more is asked of a service.

It indexes photos, then has 1, 2, 4 ... clients search, each when it was answered. Then searches
come at multiples of the most that were answered a second, whatever the answers are. Last, one
client searches while photos are indexed. A table, and JSON with `--json`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from lab.bench.drawn import drawn_photo
from lab.bench.hardware import machine
from lab.bench.samples import queries, samples
from lab.bench.service import free_port
from lab.evaluation.service.sheets import Sheet
from lab.load.asking import Asker, at_rate, closed
from lab.load.figures import Asked, Step, goodput, peak, step
from machine.stack import Stack
from machine.stack.signals import as_interrupt
from needle import Needle

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
TIMES = (0.5, 1.0, 2.0, 3.0)
COLLECTION, BESIDE = "load", "beside"
IDLE, INDEXING = "1 client, idle", "1 client, while indexing"
READY_TIMEOUT_S, QUIET_TIMEOUT_S = 600.0, 300.0


class Load:
    """Measures one step after the other, each on a service that has nothing else to do."""

    def __init__(self, needle: Needle, ask: Asker, options: argparse.Namespace) -> None:
        self._needle, self._ask, self._options = needle, ask, options
        self.steps: list[Step] = []

    def closed(self, clients: int, name: str | None = None) -> Step:
        """Measure with so many clients."""
        name = name or f"{clients} client{'s' if clients > 1 else ''}"
        return self._step(name, lambda seconds: closed(self._ask, clients, seconds))

    def at_rate(self, times: float, most_per_s: float) -> Step:
        """Measure with so many times the most that were answered a second."""
        rate = times * most_per_s
        name = f"{times:g} x the peak, {rate:.1f} a second"
        return self._step(name, lambda seconds: at_rate(self._ask, rate, seconds))

    def _step(self, name: str, run: Callable[[float], list[Asked]]) -> Step:
        settle, seconds = self._options.settle, self._options.settle + self._options.seconds
        began = time.monotonic()
        found = step(name, run(seconds), began, settle, seconds)
        self.steps.append(found)
        self._quiet()
        return found

    def _quiet(self) -> None:
        """Wait until no search waits any more, which nobody asks for now."""
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        while time.monotonic() < deadline and self._waiting():
            time.sleep(0.2)

    def _waiting(self) -> bool:
        return any(True for _ in self._needle.jobs(kind="search", status="queued"))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and show what came out."""
    options = _parser().parse_args(argv)
    console = Console()
    on = machine()
    with as_interrupt(), ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        env = dict(setting.split("=", 1) for setting in options.set)
        stack = held.enter_context(Stack(env, data_dir=folder / "data", port=free_port()))
        stack.wait_ready(READY_TIMEOUT_S)
        needle = held.enter_context(Needle(stack.base_url))
        photos, crops = _photos(options, folder)
        job = needle.wait(needle.index(photos, collection=COLLECTION))
        console.print(f"{job.progress.done} photos are indexed; load {os.getloadavg()[0]:.1f}")
        ask = Asker(stack.base_url, crops, COLLECTION)
        held.callback(ask.close)
        load = Load(needle, ask, options)
        measure(load, options, console)
        beside(load, needle, photos)
    busy = "; the machine was busy, so that times mean little" if on.busy else ""
    sheet = drawn(load.steps, f"{on.cpu}, {on.cores} cores, load {on.load:.1f}{busy}.")
    console.print(sheet.drawn())
    print(sheet.markdown())
    for line in told(load.steps):
        console.print(line)
    if options.json:
        steps = [asdict(found) for found in load.steps]
        # JSON has no NaN: what nobody was refused has no time.
        steps = [
            {name: None if value != value else value for name, value in one.items()}
            for one in steps
        ]
        every = {"machine": asdict(on), "steps": steps}
        options.json.write_text(json.dumps(every, indent=1, allow_nan=False))
    return 0


def measure(load: Load, options: argparse.Namespace, console: Console) -> None:
    """Measure with each number of clients, then at each multiple of their peak."""
    closed(load._ask, 2, options.settle)  # first searches are slow: indexes are opened
    for clients in options.clients:
        console.print(_line(load.closed(clients)))
    most = peak(load.steps)
    for times in options.times:
        console.print(_line(load.at_rate(times, most)))


def _line(found: Step) -> str:
    return f"{found.name}: {found.per_s:.2f} answers a second, {found.refused} refused"


def beside(load: Load, needle: Needle, photos: Sequence[Path]) -> None:
    """Measure one client alone, and one while photos are indexed all the time."""
    load.closed(1, IDLE)
    over = threading.Event()

    def index() -> None:
        number = 0
        while not over.is_set():
            number += 1
            job = needle.index(photos, collection=f"{BESIDE}-{number}")
            while not over.wait(0.2) and not needle.job(job.job_id).final:
                pass
            needle.cancel(job.job_id)

    with ThreadPoolExecutor(1) as pool:
        ingest = pool.submit(index)
        try:
            load.closed(1, INDEXING)
        finally:
            over.set()
        ingest.result()  # an ingest that failed would leave an idle service measured


def drawn(steps: Sequence[Step], about: str) -> Sheet:
    """Return the table."""
    header = ("load", "answers/s", "p50, s", "p95, s", "429", "429 after, p95, s", "failed")
    lines = tuple(
        (s.name, s.per_s, s.p50_s, s.p95_s, s.refused, s.refused_p95_s, s.failed) for s in steps
    )
    return Sheet("load", "Searches under load", about, header, lines)


def told(steps: Sequence[Step]) -> list[str]:
    """Return what is promised, and what it came to."""
    by_name = {each.name: each for each in steps}
    most = peak([each for each in steps if each.name not in (IDLE, INDEXING)])
    lines = [f"peak: {most:.2f} answers a second"]
    for each in steps:
        if " x the peak" in each.name and not each.name.startswith(("0.5 ", "1 ")):
            lines.append(f"goodput at {each.name}: {goodput(each, most):.2f} of the peak")
    if IDLE in by_name and INDEXING in by_name:
        times = by_name[INDEXING].p95_s / by_name[IDLE].p95_s
        lines.append(f"p95 of a search while photos are indexed: {times:.2f} times that of idle")
    return lines


def _photos(options: argparse.Namespace, folder: Path) -> tuple[list[Path], list[bytes]]:
    """Return photos and crops of them; drawn ones without those of the development set."""
    if options.shared:
        (sample,) = samples(options.shared, options.photos, 0)
        return sample.paths, queries(sample.photos, options.queries)
    drawn_ones = folder / "drawn"
    drawn_ones.mkdir()
    paths, crops = [], []
    for seed in range(options.photos):
        photo = drawn_photo(seed, 640, 480)
        paths.append(drawn_ones / f"{seed:04}.jpg")
        photo.save(paths[-1], quality=90)
        if seed < options.queries:
            buffer = io.BytesIO()
            left, top = 40 * (seed % 8), 30 * (seed % 7)
            photo.crop((left, top, left + 200, top + 160)).save(buffer, "PNG")
            crops.append(buffer.getvalue())
    return paths, crops


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.load", description=__doc__)
    add = parser.add_argument
    add("--shared", type=Path, help="the development photos (drawn ones without)")
    add("--photos", type=int, default=200, metavar="N", help="photos that are indexed (200)")
    add("--queries", type=int, default=40, metavar="N", help="crops that are searched for (40)")
    add("--clients", type=int, nargs="+", default=list(CLIENTS), metavar="N")
    add("--times", type=float, nargs="+", default=list(TIMES), metavar="X", help="of the peak")
    add("--seconds", type=float, default=20.0, help="of each step that count (20)")
    add("--settle", type=float, default=12.0, help="before them: queues fill up (12)")
    add("--set", action="append", default=[], metavar="NEEDLE_X=Y", help="a setting of the service")
    add("--json", type=Path, metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
