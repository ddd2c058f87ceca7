"""`needle export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click

from needle import csv_files, frames
from needle.api import Needle
from needle.cli.base import Command, ExitCode, Shell, collection_option, file_type, pass_shell
from needle.cli.tables import stamp
from needle.frames import Row
from needle.results import SearchResult
from needle.searches import Answer
from needle.searching import rows as searched

EXAMPLES = """
needle export > images.csv                    # every indexed image
needle export --format jsonl -o images.jsonl
needle export SEARCH_JOB_ID -o matches.csv    # a row for each hit; of a folder's search as well
needle export INDEX_JOB_ID -o outcomes.csv    # a row for each image that was sent
"""


@click.command(
    cls=Command,
    short_help="List images, or what a job did, as CSV or JSON lines.",
    examples=EXAMPLES,
)
@click.argument("job_id", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(("csv", "jsonl")),
    help="Default: by the file's ending, else csv.",
)
@click.option("-o", "--out", type=file_type, help="Into this file instead of to the output.")
@collection_option
@pass_shell
def export(
    shell: Shell, job_id: str | None, form: str | None, out: Path | None, collection: str | None
) -> int:
    """List the images; with a JOB_ID, what a search found, or what became of images.

    The search may be one for many queries. A search's JOB_ID is in what `needle search --json`
    prints, and in `needle jobs`; jobs are kept for a week.
    """
    form = form or ("jsonl" if out and out.suffix == ".jsonl" else "csv")
    with shell.connect() as needle:
        shell.check_collection(needle, collection)
        rows, first = _rows(needle, job_id, collection)
    if form == "csv":
        rows = [_dated(row) for row in rows]
    if out is None:
        _write(sys.stdout, rows, first, form)
        return ExitCode.OK
    with out.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        _write(file, rows, first, form)
    shell.say(f"{len(rows):,} rows in {out}")
    return ExitCode.OK


def _rows(
    needle: Needle, job_id: str | None, collection: str | None
) -> tuple[list[Row], Sequence[str]]:
    """Return the rows and the names of their first columns."""
    if job_id is None:
        images = needle.images(collection=collection)
        return [frames.image_row(image) for image in images], frames.IMAGE_COLUMNS
    job = needle.job(job_id)
    if job.kind == "search":
        return SearchResult.from_job(job).rows(), frames.MATCH_COLUMNS
    if job.kind == "searches":
        answers = needle.answers(job)
        return [row for answer in answers for row in _answered(answer)], searched.COLUMNS
    return [frames.item_row(item) for item in needle.items(job)], frames.ITEM_COLUMNS


def _dated(row: Row) -> Row:
    """Return a row whose time people can read."""
    return row | {"indexed_at": stamp(row["indexed_at"])} if "indexed_at" in row else row


def _answered(answer: Answer) -> list[Row]:
    """Return the rows of one of many queries: a row for each hit, however probable."""
    if answer.result is None:
        return searched.failed(answer.name, answer.reason or answer.status)
    return searched.every(answer.name, answer.result)


def _write(file: IO[str], rows: Sequence[Row], first: Sequence[str], form: str) -> None:
    if form == "jsonl":
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return
    csv_files.write(file, rows, first)
