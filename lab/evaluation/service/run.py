"""`service`: the whole service on labelled photos, over HTTP, beside simpler pipelines."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from common.settings import Settings
from lab.evaluation.pack import environment
from lab.evaluation.photos import open_photos, queries, spread
from lab.evaluation.report import write_json
from lab.evaluation.service import plan as plans
from lab.evaluation.service import report
from lab.evaluation.service.ask import Asker
from lab.evaluation.service.asking import Asking, truths
from lab.evaluation.service.index import index_photos
from lab.evaluation.service.large import LargePlan, ask_large, plan_large
from lab.evaluation.service.losses import Steps, follow
from lab.evaluation.service.measured import Measured, write_answers
from lab.evaluation.service.plan import Plan, make_plan
from lab.evaluation.service.tables import Counted
from machine.stack import Stack
from machine.stack.signals import as_interrupt
from needle import Needle
from worker.models.base import Embeddings
from worker.models.packs import load_pack
from worker.vectors.opening import open_store

READY_TIMEOUT_S = 600.0
"""Long, because the first start of a pack from the hub downloads its weights."""


@dataclass(frozen=True)
class Options:
    """What is measured: the photos, the models, and at most how many of what.

    `large` is a folder of large photos whose boxes are asked for by pixels of their sides.
    """

    dev: Path
    large: Path | None
    models: str
    detector: str | None
    profile: str | None
    out: Path
    most_photos: int | None
    most_queries: int | None
    most_windows: int | None
    budget_ms: int | None
    references: bool
    json: Path | None
    markdown: Path | None


def run(options: Options, console: Console) -> None:
    """Measure, and show and write what came out."""
    photos = spread(open_photos(options.dev), options.most_photos)
    plan = make_plan(photos, queries(options.dev, photos), options.most_queries)
    if not plan.questions:
        raise FileNotFoundError(f"{options.dev}: no boxes large enough to ask for, and no queries")
    env = environment(options.models, options.detector, options.profile)
    name = run_name(Settings.from_env(env))
    folder = options.out / name
    large = None
    if options.large is not None and options.most_windows != 0:
        large = plan_large(options.large, options.most_windows, photos)
    announce(plan, large, name, folder, console)
    stack = Stack(env, data_dir=folder / "service", port=free_port())
    with as_interrupt():
        measured, vectors = measure(name, plan, large, stack, options, console)
        # Following the steps takes long: what was answered is kept before.
        write_answers(measured, folder / "answers.jsonl")
        measured = replace(measured, steps=_followed(measured, vectors, stack))
    sheets = report.sheets(measured)
    report.show(sheets, console)
    if measured.leaked:
        console.print(f"[red]the filter let {measured.leaked} photos through[/red]")
    facts = report.facts(measured, sheets)
    for path in (folder / "report.json", options.json):
        write_json(path, facts, console)
    for markdown in (folder / "report.md", options.markdown):
        report.write_markdown(markdown, title(measured), sheets, console)
    # Only now: the detector's package, which plots too, does not load after matplotlib.
    from lab.evaluation.service import plots

    plots.draw(Counted(measured), folder / "plots", console)


def run_name(chosen: Settings) -> str:
    """Return what a run with these settings is called: models, their replacements, profile."""
    parts = [chosen.models, chosen.detector, chosen.encoder, chosen.profile]
    return "-".join(Path(part).stem for part in parts if part)


def announce(
    plan: Plan, large: LargePlan | None, name: str, folder: Path, console: Console
) -> None:
    """Say what will be done and roughly how long it takes."""
    indexing, asking = plan.minutes()
    more = f", {len(large.photos)} large photos and {large.searches} searches" if large else ""
    console.print(
        f"{name}: {len(plan.photos)} photos and {plan.searches} searches{more}. On a quiet core "
        f"about {indexing:.0f} min of indexing (none where they are indexed from an earlier run) "
        f"and {asking:.0f} min of searching{', the large photos left out' * bool(large)}; "
        f"everything is kept in {folder}.",
        highlight=False,
    )


def measure(
    name: str,
    plan: Plan,
    large: LargePlan | None,
    stack: Stack,
    options: Options,
    console: Console,
) -> tuple[Measured, Embeddings]:
    """Run the service, index and ask everything.

    Return all but the steps, which are followed afterwards, and the questions' embeddings.
    """
    loaded = load_pack(stack.settings)
    folds = plans.folds(plan.photos, queries(options.dev, plan.photos))
    with stack, Needle(stack.base_url) as needle:
        stack.wait_ready(READY_TIMEOUT_S)
        collection = index_photos(plan.photos, folds, stack, needle, console)
        if collection.failed:
            console.print(f"[red]not indexed:[/red] {', '.join(collection.failed)}")
        asker = Asker(needle, collection, options.budget_ms)
        asking = Asking(plan, asker, loaded, stack.settings, references=options.references)
        asking.run(console)
        of_large = None
        if large is not None:
            of_large = ask_large(large, stack, needle, options.budget_ms, console)
    vectors = asking.vectors()
    measured = Measured(
        name,
        plan,
        collection,
        [asking.answers[n] for n in range(len(plan.questions))],
        asking.without,
        asking.grouped,
        {
            way: pipeline.look_up(vectors, truths(plan.questions, collection))
            for way, pipeline in asking.references.items()
        },
        {way: pipeline.cost() for way, pipeline in asking.references.items()},
        Steps({}, False),
        loaded.describe(),
        os.getloadavg()[0],
        of_large,
    )
    return measured, vectors


def _followed(measured: Measured, vectors: Embeddings, stack: Stack) -> Steps:
    """Look into what the service, which has ended, has stored."""
    chosen = measured.stepwise
    with closing(open_store(stack.settings)) as store:
        return follow(
            [measured.plan.questions[n] for n in chosen],
            vectors[chosen],
            np.array([measured.grouped[n].right for n in chosen], bool),
            np.array([measured.answers[n].right for n in chosen], bool),
            measured.collection,
            store,
            stack.settings.exact_below,
        )


def title(measured: Measured) -> str:
    """Return what the run was of, in one line."""
    models, collection = measured.models, measured.collection
    return (
        f"{measured.name}: {collection.photos} photos, {collection.regions} regions, "
        f"{measured.plan.searches} searches (detector {models['detector']}, "
        f"encoder {models['encoder']})"
    )


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
