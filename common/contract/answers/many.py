"""What each of many queries has found."""

from __future__ import annotations

from pydantic import Field

from common.contract.answers.base import Answer
from common.contract.answers.jobs import Item
from common.contract.answers.searches import Findings, Match


class QueryFindings(Findings):
    """What one of many queries has found, and what it took."""

    matches: tuple[Match, ...] = Field(description="The images, the best first.")


class QueryResult(Item):
    """A query of a job, and what it has found."""

    result: QueryFindings | None = Field(
        description="What it has found; null unless it is answered."
    )


class QueryResults(Answer):
    """A page of the results of many queries, in the order in which they were posted."""

    results: list[QueryResult] = Field(description="The queries of this page.")
    total: int = Field(description="How many queries the job has.")
