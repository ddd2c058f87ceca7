"""`make fuzz`: 10,000 bad inputs to a service of its own, and a table of what they found.

Half are damaged pictures of every format that is read; then archives, odd requests to every route,
bytes that are no request, and what schemathesis makes of the interface's description. It ends with
1 where something was answered with a 500 or not at all, where the web server grew, or where what
was there before is not as it was; the inputs that did it are then in the folder of --keep.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from machine.stack import Stack
from tests.conftest import free_port
from tests.fuzz.running import Report, keep, run

ENV = {"NEEDLE_REGIONS_PER_IMAGE": "20", "NEEDLE_PROFILE": "fast", "NEEDLE_URL_TIMEOUT_S": "3"}


COLUMNS = ("2xx, 3xx", "4xx", "closed", "501", "other 5xx", "hung")


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; return the exit status."""
    options = _parser().parse_args(argv)
    console = Console()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(ENV, data_dir=Path(folder), port=free_port()) as stack,
        console.status("") as shown,
    ):
        stack.wait_ready(300)
        report = run(stack, options.count, options.seed, on=lambda n: shown.update(f"{n:,}"))
    console.print(drawn(report, f"seed {options.seed}, {time.monotonic() - began:,.0f} s"))
    for line in told(report):
        console.print(line, highlight=False, markup=False)
    if report.faults:
        keep(report, options.keep)
    return 1 if report.faults else 0


def drawn(report: Report, title: str) -> Table:
    """Return the table: a row for each kind of input."""
    table = Table(title=f"{report.tried:,} inputs, {title}")
    for name in ("input", "tried", *COLUMNS, "slowest"):
        table.add_column(name, justify="left" if name == "input" else "right")
    for kind, answers in report.answers.items():
        counts: Counter[str] = Counter()
        for answered in answers:
            counts[_group(answered.status)] += 1
        counted = [f"{counts[name]:,}" for name in COLUMNS]
        slowest = max(answered.seconds for answered in answers)
        table.add_row(kind, f"{len(answers):,}", *counted, f"{slowest:.1f} s")
    return table


def told(report: Report) -> list[str]:
    """Return what stands below the table."""
    before = report.before_mib
    grown = [f"{name} {before[name]:.0f} -> {mib:.0f}" for name, mib in report.after_mib.items()]
    late = ", ".join(f"{code} {count:,}" for code, count in report.late.most_common())
    return [
        f"memory, MiB, after a tenth and at the end: {', '.join(grown)}",
        f"taken and failed later, one by one: {late or 'none'}",
        *(report.faults or ["images and jobs are as they were, but for what was taken"]),
    ]


def _group(status: int) -> str:
    """Return the column that a status counts in."""
    if status <= 0:
        return "closed" if status == 0 else "hung"
    if status == 501:  # right for what is no request: see sending.py
        return "501"
    return "2xx, 3xx" if status < 400 else "4xx" if status < 500 else "other 5xx"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, metavar="N", help="inputs (10,000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument(
        "--keep", type=Path, default=Path("data/fuzz"), metavar="FOLDER",
        help="where inputs that found a hole are written",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
