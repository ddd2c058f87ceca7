"""`python -m lab.capacity`: what so many photos take, what breaks first, and how searches wait.

python -m lab.capacity plan --photos 1e6 1e8 1e10
python -m lab.capacity limits --megapixels 12
python -m lab.capacity simulate --shards 1 10 100 1000
python -m lab.capacity held --url http://127.0.0.1:8080 --collection NAME --queries FOLDER
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from lab.capacity import loads
from lab.capacity.measured import SHIPPED, Measured, read
from lab.capacity.model import Demand, Prices, limits, plan
from lab.capacity.simulation import Answered, Draw, Indexing, Searching, indexing_s, searches

SPAN_S = 300.0
TAIL = 0.35
"""Spread of times (of their logarithm) where none were measured one by one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""
    given = _arguments(arguments)
    console = Console(highlight=False)
    measured = read(given.measured)
    {"plan": _plan, "limits": _limits, "simulate": _simulate, "held": _held}[given.what](
        given, measured, console
    )
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lab.capacity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--measured", type=Path, default=SHIPPED, help="constants (JSON)")
    commands = parser.add_subparsers(dest="what", required=True)
    demand = argparse.ArgumentParser(add_help=False)
    demand.add_argument("--photos", type=float, nargs="+", default=[1e6, 1e8, 1e10])
    demand.add_argument("--megapixels", type=float, default=12.0)
    demand.add_argument("--days", type=float, default=30.0, help="in which all are indexed")
    demand.add_argument("--searches", type=float, default=10.0, help="a second")
    demand.add_argument("--copies", type=int, default=2, help="of every shard")
    demand.add_argument("--regions", type=float, help="of a photo, in place of what was measured")
    commands.add_parser("plan", parents=[demand], help="machines, bytes, money, time")
    commands.add_parser("limits", parents=[demand], help="what breaks first, and what to do then")
    simulate = commands.add_parser("simulate", help="waiting, slow shards, dead workers")
    simulate.add_argument("--shards", type=int, nargs="+", default=[1, 10, 100, 1000])
    held = commands.add_parser("held", help="the simulation beside a running service")
    held.add_argument("--url", required=True)
    held.add_argument("--collection", required=True)
    held.add_argument("--queries", type=Path, required=True, help="a folder of small images")
    held.add_argument("--clients", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    held.add_argument("--seconds", type=float, default=15.0, help="for each number of clients")
    held.add_argument("--servers", type=int, default=4, help="NEEDLE_SEARCH_THREADS there")
    held.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def _demands(given: argparse.Namespace) -> list[Demand]:
    return [
        Demand(
            photos=photos,
            megapixels=given.megapixels,
            days=given.days,
            searches_per_s=given.searches,
            copies=given.copies,
            regions=given.regions,
        )
        for photos in given.photos
    ]


def _plan(given: argparse.Namespace, measured: Measured, console: Console) -> None:
    table = Table(title=f"Photos of {given.megapixels:g} megapixels")
    table.add_column("")
    plans = [plan(demand, measured, Prices()) for demand in _demands(given)]
    for photos in given.photos:
        table.add_column(f"{photos:,.0f}", justify="right")
    rows = {
        "regions": [f"{one.regions:,.0f}" for one in plans],
        f"machines that index them in {given.days:g} days": [
            f"{one.index_machines:,}" for one in plans
        ],
        "what indexing them costs": [f"{one.indexing:,.0f}" for one in plans],
        f"machines for {given.searches:g} searches a second": [
            f"{one.search_machines:,}" for one in plans
        ],
        "machines of the vector store": [f"{one.vector_machines:,}" for one in plans],
        "its shards": [f"{one.shards:,}" for one in plans],
        "vectors and words, all copies": [_bytes(one.vector_bytes) for one in plans],
        "list of images (Redis)": [_bytes(one.catalogue_bytes) for one in plans],
        "photos and their files": [_bytes(one.object_bytes) for one in plans],
        "a search (ms, median, not waiting)": [f"{one.search_ms:,.0f}" for one in plans],
        "a month": [f"{one.month:,.0f}" for one in plans],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)


def _limits(given: argparse.Namespace, measured: Measured, console: Console) -> None:
    table = Table("photos", "what ends there", "then", title="What breaks first")
    for limit in limits(_demands(given)[0], measured, Prices()):
        table.add_row(f"{limit.photos:,.0f}", limit.what, limit.then)
    console.print(table)


def _simulate(given: argparse.Namespace, measured: Measured, console: Console) -> None:
    table = Table("shards", "searches/s", "p50 ms", "p95 ms", "p99 ms",
                  title="10 searches a second, 8 at once, shards of 50 million points")  # fmt: skip
    shard_s = measured.engine_ms(50e6) / 1000
    for shards in given.shards:
        rng = np.random.default_rng(0)
        service = Searching(8, lognormal(measured.search_processor_s, TAIL, rng), shards,
                            lognormal(shard_s, TAIL, rng))  # fmt: skip
        answered = searches(service, 120.0, per_s=10.0)
        table.add_row(str(shards), *_cells(answered))
    console.print(table)
    table = Table("workers", "seconds", "photos/s", "of ideal", "with one dying half-way",
                  title="1,000 photos of 0.3 megapixels, one owner of the index")  # fmt: skip
    alone = 0.0
    for workers in (1, 2, 4, 8, 16, 32, 64):
        seconds = [_indexed(measured, workers, dies) for dies in (None, 0.5)]
        alone = alone or seconds[0]
        table.add_row(
            str(workers), f"{seconds[0]:.1f}", f"{1000 / seconds[0]:.1f}",
            f"{alone / seconds[0] / workers:.2f}",
            "it never ends" if math.isinf(seconds[1]) else f"{seconds[1]:.1f}",
        )  # fmt: skip
    console.print(table)


def _indexed(measured: Measured, workers: int, dies: float | None) -> float:
    rng = np.random.default_rng(0)
    service = Indexing(
        workers,
        lognormal(measured.small.processor_s, TAIL, rng),
        lognormal(COMMIT_S, TAIL, rng),
        dies_at_s=None if dies is None else dies * 1000 * measured.small.processor_s / workers,
    )
    return indexing_s(service, 1000)


COMMIT_S = 0.017
"""Processor seconds of the commit of a small photo (docs/PERFORMANCE.md)."""


def _held(given: argparse.Namespace, measured: Measured, console: Console) -> None:
    pictures = [path.read_bytes() for path in sorted(given.queries.iterdir()) if path.is_file()]
    table = Table("clients", "searches/s", "p50 ms", "p95 ms", "refused",
                  title="Measured / simulated")  # fmt: skip
    rows: list[dict[str, float]] = []
    alone = np.zeros(0)
    for clients in given.clients:
        load = loads.ask(given.url, given.collection, pictures, clients, given.seconds)
        if clients == given.clients[0]:
            alone = np.array(load.seconds) * clients
        rng = np.random.default_rng(0)
        # As many at once as there are processors' worth of: more threads share them.
        servers = max(1, round(max((row["per_s"] for row in rows), default=0) * alone.mean()))
        servers = min(servers, given.servers)
        draw: Draw = lambda: float(rng.choice(alone))  # noqa: B023, E731
        answered = searches(Searching(servers, draw), SPAN_S, clients=clients)
        rows.append(load.row() | {"simulated_per_s": answered.per_s, "simulated_servers": servers})
        table.add_row(
            str(clients), f"{rows[-1]['per_s']:.1f} / {answered.per_s:.1f}",
            f"{rows[-1]['p50_ms']:.0f} / {answered.ms(50):.0f}",
            f"{rows[-1]['p95_ms']:.0f} / {answered.ms(95):.0f}",
            f"{load.refused} / {answered.refused}",
        )  # fmt: skip
    console.print(table)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


def lognormal(mean: float, spread: float, rng: np.random.Generator) -> Draw:
    """Return what draws times of this mean, whose logarithm has that spread."""
    centre = np.log(mean) - spread**2 / 2
    return lambda: float(rng.lognormal(centre, spread))


def _cells(answered: Answered) -> list[str]:
    times = [f"{answered.ms(percent):,.0f}" for percent in (50, 95, 99)]
    return [f"{answered.per_s:.1f}", *times]


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} EB"


if __name__ == "__main__":
    sys.exit(main())
