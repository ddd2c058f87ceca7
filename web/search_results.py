"""What many queries have found: as JSON by the page, and as one table."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import Blueprint, Response
from pydantic import ValidationError

from common.contract import answers
from common.contract.answers import widened
from common.contract.orders import SearchesOrder, of
from common.contract.parameters import ResultsPage, ResultsTable
from common.errors import IncompatibleJob, NotFound
from common.images import ReadAhead, answer_key
from common.jobs import Item, ItemStatus, Job, Kind
from common.services import Services
from web import shown
from web.operation import Answer, operation
from web.responses import respond
from web.services import services

CSV = "text/csv"
COLUMNS = (
    "query", "status", "found", "image_id", "path", "x1", "y1", "x2", "y2", "probability",
    "count", "verified", "score", "error", "paths",
)  # fmt: skip
AT_ONCE = 100
LIKELY = 0.5
PAGE_BYTES = 4 * 2**20
"""Answers of a page, as they are kept, after which it ends early: links make them twice that."""
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""As spreadsheets read a cell; the last four are the wide forms of the first."""
Found = tuple[Item, answers.Findings | None]
routes = Blueprint("search_results", __name__)


@routes.get("/jobs/<job_id>/results")
@operation("search", {200: Answer(answers.QueryResults)}, query=ResultsPage, errors=(404,))
def index(page: ResultsPage, job_id: str) -> Response:
    """List what each query of a job has found, as far as it is answered.

    Of each image the verified places are told, or its best one where none is.
    """
    job = _job(services(), job_id)
    collection = of(job, SearchesOrder).collection
    rows = [
        widened(
            shown.item(item, job),
            answers.QueryResult,
            result=found and shown.findings(found, collection),
        )
        for item, found in _found(services(), job, page.offset, page.limit, PAGE_BYTES)
    ]
    return respond(answers.QueryResults(results=rows, total=job.total))


@routes.get("/jobs/<job_id>/results.csv")
@operation("search", {200: Answer(None, (CSV,))}, query=ResultsTable, errors=(404,))
def table(parameters: ResultsTable, job_id: str) -> Response:
    """Fetch what many queries have found as a table, a row for each place that shows one.

    These are the verified places of an image, or its best one where none is. A query that is in no
    image, that failed or waits has one row. `count` is how often the image shows the query. A text
    that a spreadsheet would take for a formula has an apostrophe before it.
    """
    job = _job(services(), job_id)
    rows = _rows(services(), job, parameters.min_probability)
    return Response(_lines(rows), mimetype=CSV, direct_passthrough=True)


def _job(services: Services, job_id: str) -> Job:
    job = services.jobs.get(job_id)
    if job.kind is not Kind.SEARCHES:
        raise NotFound("The job is no search for many queries.")
    return job


def _found(
    services: Services, job: Job, offset: int, limit: int, most_bytes: float = math.inf
) -> Iterator[Found]:
    """Yield queries with what they have found, up to `most_bytes`. Raises IncompatibleJob."""
    count = 0
    items = services.jobs.items(job.job_id, offset=offset, limit=limit)
    answered = [item for item in items if item.status is ItemStatus.ANSWERED]
    keys = [answer_key(job.job_id, item.index) for item in answered]
    with ReadAhead(services.images, keys) as reads:
        for item in items:
            if item.status is not ItemStatus.ANSWERED:
                yield item.under(job), None
                continue
            content = reads.open(answer_key(job.job_id, item.index))
            count += len(content)
            try:
                yield item, answers.Findings.model_validate_json(content)
            except ValidationError as exc:
                raise IncompatibleJob(
                    f"The results of the job {job.job_id} were written by another version of "
                    "Needle, in a form that this one cannot read."
                ) from exc
            if count >= most_bytes:
                return


def _rows(services: Services, job: Job, least: float | None) -> Iterator[Sequence[Any]]:
    yield COLUMNS
    for offset in range(0, job.total, AT_ONCE):
        for item, found in _found(services, job, offset, AT_ONCE):
            yield from rows_of(item, found, least)


def rows_of(
    item: Item, found: answers.Findings | None, least: float | None = None
) -> list[Sequence[Any]]:
    """Return the rows of one query, each with COLUMNS."""
    head = (item.name, item.status.value)
    error = str((item.error or {}).get("message", ""))
    if found is None:
        return [(*head, "", *[""] * 10, error, "")]
    rows: list[Sequence[Any]] = [
        (
            *head, "yes", match.image_id, match.path or match.filename, *hit.box,
            match.probability, match.count, "yes" if hit.verified else "no", match.score, "",
            _several(match.paths or ()),
        )
        for match in found.matches
        if _counts(match, len(found.objects), least)
        for hit in match.places
    ]  # fmt: skip
    return rows or [(*head, "no", *[""] * 12)]


def _several(paths: Sequence[str]) -> str:
    return json.dumps(paths, ensure_ascii=False) if len(paths) > 1 else ""


def _counts(match: answers.FoundMatch, things: int, least: float | None) -> bool:
    """Tell whether an image counts as found: of several things it has to show any."""
    if least is None and things > 1 and match.shows is not None:
        return bool(match.shows)
    return (match.probability or 0.0) >= (LIKELY if least is None else least)


def _lines(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([cell(value) for value in row])
        yield text.getvalue().encode("utf-8", "backslashreplace")
        text.seek(0)
        text.truncate()


def cell(value: Any) -> Any:
    """Return a value as a cell holds it."""
    if not isinstance(value, str):
        return value
    value = value.replace("\r", "\\r")
    return f"'{value}" if value.startswith(_BEGINS_A_FORMULA) else value
