"""`make bench`: what indexing and searching cost, in one run.

Beside each other: the plain pipeline of the tutorials, Needle in one process, Needle over HTTP, and
the forward passes alone. Tables in the terminal; JSON and a picture in the folder of --out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.bench import cap, report
from lab.bench.baseline import by_turns
from lab.bench.children import run_child
from lab.bench.figures import IN_PROCESS, LIMIT, PLAIN, Run, Spent, stages
from lab.bench.hardware import machine
from lab.bench.measured import Measured, Staged
from lab.bench.samples import Sample, queries, samples
from lab.bench.service import serve
from lab.evaluation.report import write_json
from machine.stack import Stack
from machine.stack.signals import as_interrupt

PLAIN_DETECTOR = "yolov5n.safetensors"
PROFILES = ("fast", "balanced", "thorough")
STAGES_OF = "balanced"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and show and write what came out."""
    options = _parser().parse_args(argv)
    console = Console()
    with as_interrupt(), tempfile.TemporaryDirectory() as scratch:
        measured = measure(options, Path(scratch), console)
    for sheet in report.sheets(measured):
        console.print(sheet.drawn())
        console.print()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    write_json(options.json or out / "bench.json", measured.as_json(), console)
    (out / "bench.md").write_text("\n".join(report.markdown(measured)), encoding="utf-8")
    # Only now: the detector's package, which plots too, does not load after matplotlib.
    from lab.bench import plots

    plots.draw(measured, out / "bench.png", console)
    return 0


def measure(options: argparse.Namespace, scratch: Path, console: Console) -> Measured:
    """Measure everything, one after the other."""
    on = machine()
    (scratch / "capped").mkdir()
    env = cap.environment(options.cap, scratch / "capped")
    env |= dict(setting.split("=", 1) for setting in options.set)
    chosen = samples(options.shared, options.small, options.large)
    asked = queries(chosen[0].photos, options.queries)
    weights = options.shared / "weights" / PLAIN_DETECTOR
    console.print("the plain pipeline ...")
    plain = run_child("lab.bench.plain", _plain_order(chosen, weights, asked), env)
    console.print("Needle in process ...")
    inside = in_process(env, scratch / "inside", chosen, options.profiles)
    console.print("Needle over HTTP ...")
    served = serve(env, scratch / "http", chosen, options.profiles, STAGES_OF, asked)
    turns: list[Run] = []
    if options.baseline:
        console.print(f"in turns with {options.baseline} ...")
        turns = by_turns(options.baseline, env, scratch / "turns", chosen, STAGES_OF)
    own_runs, own_stages = _inside(inside, chosen)
    plain_runs, plain_stages = _plain(plain, chosen)
    return Measured(
        machine=on,
        cap=cap.describe(options.cap, env),
        models=served.models,
        runs=[*plain_runs, *own_runs, *served.runs],
        staged=[*plain_stages, *own_stages],
        searches={
            "plain pipeline": plain["search_ms"],
            "Needle, idle": served.idle_ms,
            "Needle, while indexing": served.busy_ms,
        },
        bytes=served.bytes,
        regions=served.regions,
        peaks_mib={
            **served.peaks_mib,
            "Needle in process": inside["peak_mib"],
            "plain pipeline": plain["peak_mib"],
        },
        turns=turns,
        baseline=str(options.baseline) if options.baseline else None,
    )


def in_process(
    env: Mapping[str, str], folder: Path, chosen: Sequence[Sample], profiles: Sequence[str]
) -> dict[str, Any]:
    """Run the index pipeline in a child, with a Redis of its own."""
    stack = Stack(env, data_dir=folder, make_services=lambda _: ())
    with stack:
        order = {
            "samples": {sample.size: sample.paths for sample in chosen},
            "profiles": list(profiles),
            "stages_of": STAGES_OF,
        }
        own = {"NEEDLE_REDIS_URL": str(stack.redis_url), "NEEDLE_DATA_DIR": str(folder)}
        return run_child("lab.bench.inprocess", order, {**env, **own})


def _plain_order(chosen: Sequence[Sample], weights: Path, asked: Sequence[bytes]) -> dict[str, Any]:
    return {
        "samples": {sample.size: sample.paths for sample in chosen},
        "weights": weights,
        "queries": [query.hex() for query in asked],
    }


def _plain(raw: Mapping[str, Any], chosen: Sequence[Sample]) -> tuple[list[Run], list[Staged]]:
    runs, staged = [], []
    for sample in chosen:
        found = raw["runs"][sample.size]
        runs.append(_run(PLAIN, sample, None, found["spent"]))
        staged.append(_staged(PLAIN, sample, None, found["laps"], found["spent"]))
    return runs, staged


def _inside(raw: Mapping[str, Any], chosen: Sequence[Sample]) -> tuple[list[Run], list[Staged]]:
    by_size = {sample.size: sample for sample in chosen}
    runs, staged = [], []
    for found in raw["runs"]:
        sample, profile = by_size[found["size"]], found["profile"]
        runs.append(_run(IN_PROCESS, sample, profile, found["spent"]))
        if "laps" in found:
            runs.append(_run(LIMIT, sample, profile, found["limit"]))
            staged.append(
                _staged(
                    IN_PROCESS,
                    sample,
                    profile,
                    found["laps"],
                    found["whole"],
                    found["forward_passes"],
                )
            )
    return runs, staged


def _run(way: str, sample: Sample, profile: str | None, spent: Mapping[str, float]) -> Run:
    return Run(way, sample.size, profile, len(sample.photos), sample.megapixels, Spent(**spent))


def _staged(
    way: str,
    sample: Sample,
    profile: str | None,
    laps: Mapping[str, Mapping[str, float]],
    whole: Mapping[str, float],
    passes: int | None = None,
) -> Staged:
    every = {name: Spent(**spent) for name, spent in laps.items()}
    found = stages(every, Spent(**whole))
    return Staged(way, sample.size, profile, len(sample.photos), found, passes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.bench", description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="photos, weights")
    parser.add_argument("--small", type=int, default=24, metavar="N", help="photos of COCO's size")
    parser.add_argument("--large", type=int, default=4, metavar="N", help="large photos")
    parser.add_argument(
        "--queries", type=int, default=40, metavar="N", help="searches of each kind"
    )
    parser.add_argument(
        "--profiles", nargs="+", choices=PROFILES, default=list(PROFILES), metavar="PROFILE",
        help=f"some of {', '.join(PROFILES)}; {STAGES_OF} must be among them",
    )  # fmt: skip
    parser.add_argument(
        "--cap", choices=cap.CAPS, default=cap.NONE, help="measure as a lesser processor would"
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="DIR",
        help="another checkout with a .venv, which indexes the same photos in turns",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], metavar="NEEDLE_X=Y", help="a setting of the service"
    )
    parser.add_argument("--out", type=Path, default=Path("data/bench"), metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE", help="instead of OUT/bench.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
