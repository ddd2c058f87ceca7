"""Jobs and their items, as answers."""

from __future__ import annotations

from pydantic import Field

from common.contract.answers.base import Answer, Problem
from common.contract.answers.searches import SearchResult
from common.contract.answers.upkeep import BackedUp, Verified
from common.contract.fields import Said
from common.jobs import ItemStatus, Kind, Status


class Progress(Answer):
    """How far a job is."""

    total: int = Field(description="How many items the job has.")
    done: int = Field(description="How many items ended well.")
    failed: int = Field(description="How many items failed.")
    rate_per_s: float | None = Field(
        description="Items ended per second; null before the first one."
    )
    eta_s: float | None = Field(
        description="Seconds until the job has ended at that rate; null where it is unknown."
    )


class DeletionResult(Answer):
    """The image that was deleted."""

    collection: str = Field(description="The collection that it was in.")
    image_id: str = Field(description="The id of the image.")


class Webhook(Answer):
    """What came of calling the URL that the job's request named."""

    delivered: bool = Field(description="Whether a call was answered with 2xx.")
    attempts: int = Field(description="How many calls were made since the job ended.")
    last_error: str | None = Field(description="Why the last call did not arrive.")


class ListedJob(Answer):
    """A job without its result. Times are Unix seconds."""

    job_id: str = Field(description="The id of the job.")
    kind: Kind = Field(description="What the job does.")
    status: Status = Field(description="How the job stands.")
    collection: Said | None = Field(
        description="The collection that it is about; null for a backup, which is of all of them."
    )
    progress: Progress = Field(description="How far the job is.")
    error: Problem | None = Field(description="Why the job as a whole failed.")
    created_at: float = Field(description="When the job was recorded.")
    started_at: float | None = Field(description="When the first of its tasks began.")
    finished_at: float | None = Field(description="When the job ended.")
    webhook: Webhook | None = Field(
        description="What came of its webhook; null where its request named none."
    )


class Job(ListedJob):
    """A job. Times are Unix seconds."""

    result: SearchResult | DeletionResult | Verified | BackedUp | None = Field(
        description="What a search found, which image was deleted, how a collection was found "
        "to be, or what a backup has, once the job has succeeded."
    )


class Jobs(Answer):
    """A page of the jobs, newest first."""

    jobs: list[ListedJob] = Field(description="The jobs of this page.")
    total: int | None = Field(
        description="How many jobs there are; null where a status is asked for."
    )
    next: str | None = Field(description="The path of the next page; null on the last one.")


class Item(Answer):
    """One image or query of a job: a file, an archive's member, a URL or an indexed image."""

    index: int = Field(description="Its place in the request, from 0.")
    name: Said = Field(
        description="The client's name for it: a path, a page of a file (`a.tif#2`) or a URL."
    )
    image_id: str | None = Field(description="The id of the image; null where it has none yet.")
    status: ItemStatus = Field(description="How the item stands.")
    error: Problem | None = Field(description="Why it failed.")
    warning: str | None = Field(
        description="What of it could not be read, where it is indexed all the same."
    )


class Items(Answer):
    """A page of a job's items, in the order in which they were posted."""

    items: list[Item] = Field(description="The items of this page.")
    total: int = Field(description="How many items the job has.")
