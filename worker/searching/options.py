"""What a request asks of its search, over the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from common.geometry import Box
from common.jobs import Job
from common.settings import Settings
from common.vectors import filters
from common.vectors.aggregate import Aggregate
from worker.searching.grouping import Grouping


@dataclass(frozen=True)
class Source:
    """A picture by its URL or by the id of an indexed image; of it `box`, or all of it."""

    url: str | None
    image_id: str | None
    box: Box | None

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Source:
        """Read a picture that a request names."""
        return cls(raw.get("url"), raw.get("image_id"), _box(raw))


@dataclass(frozen=True)
class SearchOptions:
    """The options of a search job.

    What is searched for: `source`, or else so many posted `files`, of which `box` cuts the first;
    `examples` and `text` beside it, the text with a weight of 0..1. `negatives` and
    `negative_files` name what images should not be like.

    How: `zoom_images` get a closer look, at most `verify_images` are verified within
    `verify_budget_s`. `same_kind` 0..1 is how much it counts that images show the same kind of
    thing; None leaves that to whether the thing itself is found. `share` is each thing's share of
    the time there is.
    """

    job_id: str
    collection: str
    source: Source | None
    files: int
    box: Box | None
    examples: tuple[Source, ...]
    text: str | None
    text_weight: float
    negatives: tuple[Source, ...]
    negative_files: int
    detect: bool
    rotate: bool
    grouping: Grouping
    where: tuple[filters.Condition, ...]
    zoom_images: int
    verify_images: int
    verify_budget_s: float
    same_kind: float | None
    share: float = 1.0

    @classmethod
    def of(cls, job: Job, settings: Settings) -> SearchOptions:
        """Read a job's details; what the request left open comes from the settings."""
        details = job.details

        def chosen(name: str, setting: Any) -> Any:
            given = details.get(name)
            return setting if given is None else given

        aggregate = Aggregate(details["aggregate"])
        # Other aggregates than the best hit's score say nothing of one place.
        one_place = aggregate is Aggregate.MAX
        verifies = one_place and details.get("verify") is not False
        return cls(
            job_id=job.job_id,
            collection=details["collection"],
            source=Source.of(details) if details.get("url") or details.get("image_id") else None,
            files=details.get("files", 0),
            box=_box(details),
            examples=tuple(Source.of(raw) for raw in details.get("examples") or ()),
            text=details.get("text"),
            text_weight=chosen("text_weight", 0.5),
            negatives=tuple(Source.of(raw) for raw in details.get("negatives") or ()),
            negative_files=details.get("negative_files", 0),
            detect=bool(details.get("detect")),
            rotate=bool(details.get("rotate")),
            grouping=Grouping(
                limit=details["limit"],
                hits_per_image=details["hits_per_image"],
                min_score=details["min_score"],
                aggregate=aggregate,
            ),
            where=filters.from_json(details["filter"]),
            zoom_images=chosen("zoom", settings.zoom_images) if one_place else 0,
            verify_images=settings.verify_images if verifies else 0,
            verify_budget_s=chosen("verify_budget_ms", settings.verify_budget_ms) / 1000,
            same_kind=details.get("same_kind"),
        )

    def among(self, things: int) -> SearchOptions:
        """Return the options for each of so many things, which share the time."""
        # Several things are ordered by how likely images hold them: nothing else may mix in.
        return replace(self, share=1 / things, same_kind=self.same_kind if things == 1 else 0.0)


def _box(raw: Mapping[str, Any]) -> Box | None:
    return Box(*raw["box"]) if raw.get("box") else None
