"""What a job carries: its request in typed form. Web writes it, worker and web read it by `of`.

The form has a number. A job of an earlier form, which was recorded before an upgrade, is read as
well; one of a later form fails with a sentence. Form 1, without a number, is what was recorded up
to version 0.1.0: a search's filter stood in it as conditions, and an index named its `source`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from common.contract.fields import MetadataChanges, Said
from common.contract.requests import (
    IndexFields,
    Request,
    SearchesFields,
    SearchFields,
    VerifyFields,
)
from common.errors import IncompatibleJob
from common.jobs import Item, Job, Kind


class Order(Request):
    """What the orders of all kinds of job have in common."""

    form: Literal[2] = 2

    def details(self) -> dict[str, Any]:
        """Return the JSON form that the job carries."""
        return self.model_dump(mode="json")


class IndexOrder(IndexFields, Order):
    """The order of an index job; what it leaves open is as the settings say.

    `changes` are made to the images' metadata: the job edits what is indexed already.
    """

    changes: MetadataChanges | None = None


class SearchOrder(SearchFields, Order):
    """The order of a search: its request, and the files that came with it.

    `files` and `negative_files` count them; `filename` is the name of the first. One that is
    `patient` goes on from a search whose time was up: it takes the time that it needs.
    """

    files: int = 0
    negative_files: int = 0
    filename: Said | None = None
    patient: bool = False


class SearchesOrder(SearchesFields, Order):
    """The order of many searches: how each is carried out, and the files of what is not wanted.

    An item is a query: the file of its number where the queries are `files`, else the indexed image
    whose id it has, else the URL that is its name.
    """

    files: bool = False
    negative_files: int = 0

    def of_item(self, item: Item) -> SearchOrder:
        """Return the order of the search for one of the queries."""
        shared = {name: getattr(self, name) for name in SearchesFields.model_fields}
        named = {} if self.files else {"image_id": item.image_id}
        if not self.files and item.image_id is None:
            named = {"url": item.name}
        return SearchOrder.model_validate(
            {**shared, **named, "files": int(self.files), "negative_files": self.negative_files}
        )


class DeleteOrder(Order):
    """The order to delete an image, or with `whole` a collection."""

    collection: str
    whole: bool = False


class VerifyOrder(VerifyFields, Order):
    """The order to look after a collection."""

    collection: str


class BackupOrder(Order):
    """The order to make a backup, of everything."""


Kept = TypeVar("Kept", bound=Order)


def of(job: Job, order: type[Kept]) -> Kept:
    """Return what a job carries. Raises IncompatibleJob where that cannot be read."""
    try:
        details = job.details if "form" in job.details else _from_form_1(job.details)
        return order.model_validate(details)
    except (ValueError, LookupError, TypeError) as exc:  # pydantic's error is a ValueError
        raise IncompatibleJob(
            f"The {job.kind} job {job.job_id} was recorded by another version of Needle, in a "
            "form that this one cannot read; send the request again."
        ) from exc


def collection_of(job: Job) -> str | None:
    """Return the collection that a job is about, in any form; None for one that names none."""
    name = job.details.get("collection")
    return name if isinstance(name, str) else None


def ends_by_items(job: Job) -> bool:
    """Tell whether a job's items end one by one; that of a search or of one image has none.

    A deletion that cannot be read counts as one image's.
    """
    if job.kind is not Kind.DELETE:
        return job.kind in (Kind.INDEX, Kind.SEARCHES)
    try:
        return of(job, DeleteOrder).whole
    except IncompatibleJob:
        return False


def _from_form_1(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return details of the form without a number as this form has them."""
    found = {name: value for name, value in details.items() if name != "source"}
    if isinstance(found.get("filter"), list):
        found["filter"] = {c["key"]: _filter_value(c) for c in found["filter"]}
    return found


def _filter_value(condition: Mapping[str, Any]) -> Any:
    if condition["bounds"]:
        return dict(condition["bounds"])
    values = condition["values"]
    return values[0] if len(values) == 1 else list(values)
