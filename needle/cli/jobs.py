"""`needle jobs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.table import Column, Table

from needle.api import Needle
from needle.cli.base import Command, ExitCode, Shell, json_option, limit_option, pass_shell
from needle.cli.tables import JOB_COLUMNS, add, job_rows, jobs_table
from needle.cli.values import Id
from needle.errors import NeedleApiError
from needle.frames import Row
from needle.jobs import Job
from needle.journal import Journal, state_file
from needle.wording import visible

SHOWN_ITEMS = 100
ITEM_COLUMNS = ("job_id", "index", "name", "status", "image_id", "reason", "warning")
UNLISTED = frozenset({404, 405})
"""What a service answers that has no list of its jobs."""
KINDS = ("index", "search", "searches", "delete", "verify", "backup")
STATUSES = ("queued", "started", "succeeded", "partial", "failed", "cancelled")
BAD = frozenset({"failed", "cancelled"})

EXAMPLES = """
needle jobs                        # the last ones
needle jobs JOB_ID --wait          # until it has ended; 3 if it failed
needle jobs JOB_ID --items         # how each image ended, and why it failed
needle jobs JOB_ID --cancel
"""


@click.command(cls=Command, short_help="Show, await or cancel jobs.", examples=EXAMPLES)
@click.argument("job_ids", nargs=-1, type=Id(joined=True), metavar="[JOB_ID...]")
@limit_option(20, "jobs")
@click.option("--kind", type=click.Choice(KINDS), help="Only these of the last ones.")
@click.option("--status", type=click.Choice(STATUSES), help="Only these of the last ones.")
@click.option("--wait", "waits", is_flag=True, help="Wait until they have ended.")
@click.option("--items", is_flag=True, help="Show how each image ended, failures first.")
@click.option("--cancel", is_flag=True, help="End them; images that are indexed stay.")
@json_option
@pass_shell
def jobs(
    shell: Shell,
    job_ids: Sequence[str],
    limit: int,
    kind: str | None,
    status: str | None,
    waits: bool,
    items: bool,
    cancel: bool,
    as_json: bool,
) -> int:
    """Show jobs: those named, else the last ones.

    Ends with 3 when one that was named has failed. From a service that lists no jobs, the last
    ones are those that `needle index` sent from this machine.
    """
    if not job_ids and (cancel or items or waits):
        raise click.UsageError("--wait, --items and --cancel need a JOB_ID.")
    with shell.connect() as needle:
        found = [_one(needle, job_id, waits, cancel) for job_id in job_ids]
        if not job_ids:
            found = _last(shell, needle, limit, kind, status)
        details = {job.job_id: _items(needle, job) for job in found} if items else {}
    if as_json:
        rows = [asdict(job) for job in found]
        more = [{"items": details[job.job_id]} if items else {} for job in found]
        shell.json([row | extra for row, extra in zip(rows, more, strict=True)])
    elif items:
        _show_items(shell, found, details)
    else:
        shell.table(lambda: jobs_table(found), job_rows(found), JOB_COLUMNS)
    failed = job_ids and not cancel and any(job.status in BAD for job in found)
    return ExitCode.FAILED if failed else ExitCode.OK


def _one(needle: Needle, job_id: str, waits: bool, cancel: bool) -> Job:
    job = needle.cancel(job_id) if cancel else needle.job(job_id)
    return needle.wait(job) if waits else job


def _last(
    shell: Shell, needle: Needle, limit: int, kind: str | None, status: str | None
) -> list[Job]:
    try:
        return list(needle.jobs(kind=kind, status=status, limit=limit))
    except NeedleApiError as exc:
        if exc.status not in UNLISTED:
            raise
    journal = Journal(state_file(), shell.url, None)
    try:
        known = journal.recent_jobs(limit)
    finally:
        journal.close()
    found = [job for job_id in known if (job := _if_known(needle, job_id))]
    return [job for job in found if kind in (None, job.kind) and status in (None, job.status)]


def _if_known(needle: Needle, job_id: str) -> Job | None:
    try:
        return needle.job(job_id)
    except NeedleApiError as exc:
        if exc.status == 404:  # the service forgets jobs after a while
            return None
        raise


def _items(needle: Needle, job: Job) -> list[dict[str, Any]]:
    rows = [asdict(item) | {"reason": item.reason} for item in needle.items(job)]
    return sorted(rows, key=lambda row: (row["reason"] is None, row["warning"] is None))


def _show_items(shell: Shell, found: Sequence[Job], details: Mapping[str, Sequence[Row]]) -> None:
    """Show how each image ended, to people under its job."""
    rows = [{"job_id": job.job_id, **row} for job in found for row in details[job.job_id]]
    if not shell.people:
        shell.table(Table, rows, ITEM_COLUMNS)
        return
    for job in found:
        shell.out.print(jobs_table([job]))
        shell.out.print(_items_table(details[job.job_id][:SHOWN_ITEMS]))
    if len(rows) > SHOWN_ITEMS:
        shell.say("Not all are shown; --json and a pipe have all of them.")


def _items_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("image", Column("status", no_wrap=True), "image id, or what is wrong with it")
    for row in rows:
        said = row["reason"] or row["warning"] or row["image_id"] or ""
        add(table, visible(row["name"]), row["status"], visible(said))
    return table
