"""What a search job asks for, over the settings."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.contract import orders
from common.contract.orders import SearchOrder
from common.jobs import Job
from common.settings import Settings
from common.vectors import filters
from common.vectors.aggregate import Aggregate
from worker.searching.grouping import Grouping

PATIENT_S = 60.0
"""What a search that goes on may take for verifying, and for a closer look."""


@dataclass(frozen=True)
class SearchOptions:
    """The order of a search job, and what follows from it and from the settings.

    `zoom_images` get a closer look, at most `verify_images` are verified within `verify_budget_s`.
    `same_kind` 0..1 is how much it counts that images show the same kind of thing; None leaves that
    to the search (`nearest.py`, `kinds.py`). `share` is each thing's share of the time there is.
    `first_file` is the number of the first of its files among those of the job.
    """

    job_id: str
    order: SearchOrder
    grouping: Grouping
    where: tuple[filters.Condition, ...]
    zoom_images: int
    verify_images: int
    verify_budget_s: float
    same_kind: float | None
    share: float = 1.0
    first_file: int = 0

    @classmethod
    def of(cls, job: Job, settings: Settings) -> SearchOptions:
        """Read a job's order; what it leaves open comes from the settings.

        Raises IncompatibleJob.
        """
        return cls.ordered(job.job_id, orders.of(job, SearchOrder), settings)

    @classmethod
    def ordered(
        cls, job_id: str, order: SearchOrder, settings: Settings, *, first_file: int = 0
    ) -> SearchOptions:
        """Return the options of an order whose files lie with that job's, from a number on."""
        # Other aggregates than the best hit's score say nothing of one place.
        one_place = order.aggregate is Aggregate.MAX
        zoom = settings.zoom_images if order.zoom is None else order.zoom
        budget_s = (order.verify_budget_ms or settings.verify_budget_ms) / 1000
        return cls(
            job_id=job_id,
            order=order,
            grouping=Grouping(order.limit, order.hits_per_image, order.min_score, order.aggregate),
            where=filters.parse(order.filter),
            zoom_images=zoom if one_place else 0,
            verify_images=settings.verify_images if one_place and order.verify is not False else 0,
            verify_budget_s=PATIENT_S if order.patient else budget_s,
            same_kind=order.same_kind,
            first_file=first_file,
        )

    @property
    def collection(self) -> str:
        """The collection that is searched."""
        return self.order.collection

    def among(self, things: int) -> SearchOptions:
        """Return the options for each of so many things, which share the time."""
        # Several things are ordered by how likely images hold them: nothing else may mix in.
        return replace(self, share=1 / things, same_kind=self.same_kind if things == 1 else 0.0)
