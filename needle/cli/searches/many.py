"""A search for many queries: a row for each place that shows one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from needle import frames
from needle.api import Needle
from needle.cli.base import ExitCode, Shell
from needle.cli.searches.targets import Targets
from needle.cli.tables import add
from needle.errors import NeedleClientError
from needle.frames import Row
from needle.jobs import Job, Progress
from needle.progress import tally_bar
from needle.results import SearchResult
from needle.searching import rows
from needle.searching.bulk import Answer, Asking, OnJob
from needle.searching.notes import Notes
from needle.searching.queries import Query
from needle.tally import Tally
from needle.wording import counted, sure, visible, words

SHOWN_FAILURES = 10
Ask = Callable[[Mapping[Query, str], Notes | None, OnJob], Iterable[Answer]]
"""Asks for queries, each with the key that it is noted by."""
Keep = Callable[[Query, SearchResult], SearchResult]


@dataclass
class Run:
    """One run with many queries: what was answered, now or by a run that was cut off."""

    shell: Shell
    queries: tuple[Query, ...]
    kept: Keep
    notes: Notes | None = None
    found: Counter[str] = field(default_factory=Counter)
    answers: dict[Query, list[Row]] = field(default_factory=dict)
    keys: dict[Query, str] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    before: int = 0
    out_of_time: int = 0
    told: Tally = field(default_factory=Tally)

    def begin(self) -> list[Query]:
        """Return the queries that are still to be asked; those that cannot be read have failed."""
        fresh = []
        for query in self.queries:
            try:
                self.keys[query] = query.key()
            except OSError as exc:
                self.fail(query, exc.strerror or str(exc))
                continue
            known = self.notes.rows(self.keys[query]) if self.notes else None
            if known is None:
                fresh.append(query)
            else:
                self.answers[query] = known
                self.before += 1
        return fresh

    def take(self, answer: Answer) -> None:
        """Keep an answer and note it. Raises OSError."""
        if answer.result is None:
            self.fail(answer.query, answer.reason)
            return
        result = self.kept(answer.query, answer.result)
        made = rows.found(answer.query.name, result)
        self.out_of_time += result.verification.get("complete") is False
        self.answers[answer.query] = made
        if self.notes:
            self.notes.answered(self.keys[answer.query], made)

    def fail(self, query: Query, reason: str) -> None:
        """Keep why a query has no answer."""
        self.failures.append((query.name, reason))
        self.answers[query] = rows.failed(query.name, reason)

    def rows(self) -> list[Row]:
        """Return all rows, in the order of the queries."""
        return [row for query in self.queries for row in self.answers.get(query, ())]

    def tally(self, job: Job | None = None) -> Tally:
        """Return how far it is, with a job that is under way; never less than was told before."""
        under_way = job.progress if job else Progress()
        # Answers of a job are fetched when it has ended: until then they count by its progress.
        total, answered = len(self.queries), len(self.answers) - len(self.failures)
        failed = max(self.told.failed, len(self.failures) + under_way.failed)
        done = max(self.told.done, answered + under_way.done)
        self.told = Tally(total=total, done=min(done, total - failed), failed=failed)
        return self.told


def search_many(
    shell: Shell,
    queries: tuple[Query, ...],
    ask: Ask,
    kept: Keep,
    targets: Targets,
    plan: Mapping[str, Any],
) -> int:
    """Ask for every query and leave the rows of what is `kept`; return how the command ends."""
    notes = Notes(targets.rows, plan) if targets.rows else None
    if notes and notes.superseded:
        shell.say(f"{notes.path} was of another search, and begins anew.")
    run = Run(shell, queries, kept, notes)
    fresh = run.begin()
    if run.before:
        shell.say(f"{run.before:,} queries were answered before, by a run that was cut off.")
    try:
        with tally_bar(shell.err, "Searching", things="searches") as told:
            told(run.tally())
            keys = {query: run.keys[query] for query in fresh}
            for answer in ask(keys, notes, lambda job: told(run.tally(job))):
                run.take(answer)
                told(run.tally())
    except (KeyboardInterrupt, NeedleClientError):
        answered = len(run.answers) - len(run.failures)
        if notes and answered:
            shell.say(
                f"{answered:,} of {len(queries):,} are answered and noted in {notes.path}; "
                "the same command goes on."
            )
        elif notes and notes.jobs():
            shell.say("The service goes on; the same command fetches what it finds.")
        raise
    finally:
        if notes:
            notes.close()
    return _report(shell, run, targets.folder)


def as_jobs(needle: Needle, asked: Mapping[str, Any]) -> Ask:
    """Return what asks for queries by jobs of the service."""
    return lambda keys, notes, told: Asking(needle, asked, notes, told).ask(keys)


def drawn_as_well(
    needle: Needle,
    keep: Callable[[SearchResult], SearchResult],
    queries: tuple[Query, ...],
    root: Path | None,
) -> Keep:
    """Return what is kept of a result and, where there is a `root`, is drawn in there."""
    if root is None:
        return lambda _, result: keep(result)
    from needle.searching.drawing import draw_into, folders

    placed = folders(root, queries)

    def drawn(query: Query, whole: SearchResult) -> SearchResult:
        result = keep(whole)
        if result.matches:
            draw_into(placed[query], needle, query, result)
        return result

    return drawn


def _report(shell: Shell, run: Run, drawings: Path | None) -> int:
    every = run.rows()
    if run.notes:
        run.notes.finish(every, rows.COLUMNS)
    else:
        shell.table(lambda: _table(every), every, rows.COLUMNS)
    for name, reason in run.failures[:SHOWN_FAILURES]:
        shell.say(f"failed {name}: {reason}")
    places = Counter(row["query"] for row in every if row.get("found"))
    found = sum(any(row.get("found") for row in part) for part in run.answers.values())
    failed = len(run.failures)
    where = f" in {run.notes.target}" if run.notes else ""
    shell.say(
        f"{len(run.queries):,} asked: {found:,} found, "
        f"{len(run.queries) - found - failed:,} not found, {failed:,} failed; "
        f"{counted(places.total(), 'place')}{where}"
    )
    if drawings and found:
        shell.say(f"Drawn in {drawings}, a folder for each query that was found")
    if run.out_of_time:
        shell.say(
            f"In {run.out_of_time:,} time ran out before the last checks; --verify-budget-ms gives "
            "the double-checks more."
        )
    if failed:
        return ExitCode.FAILED
    return ExitCode.OK if found else ExitCode.NOTHING


def _table(every: list[Row]) -> Table:
    """Return a line for each place, for people."""
    name = Column("query", overflow="fold", min_width=10)
    image = Column("image", overflow="fold", min_width=12)
    table = Table(name, image, *(Column(each, no_wrap=True) for each in ("sure", "box", "how")))
    for row in every:
        box = ",".join(str(row[corner]) for corner in frames.CORNERS if corner in row)
        how = "verified" if row.get("verified") else row.get("label") or row.get("source")
        seen = row.get("path") or row.get("filename") or row.get("error") or "not found"
        add(
            table,
            visible(row["query"]),
            visible(seen),
            sure(row.get("probability")),
            box,
            words(how),
        )
    return table
