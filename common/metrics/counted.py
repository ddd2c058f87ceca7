"""Everything that is counted where it happens. Labels have few values: no ids, no collections."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from common import tracing
from common.jobs import Item, ItemStatus

SHORT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LONG_S = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
SHARES = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Meters:
    """The counts of a process. Each method is a few microseconds, and never raises."""

    def __init__(self) -> None:
        self.http = Histogram(
            "needle_http_request_duration_seconds",
            "Requests, until their answers begin; those that wait for a job included.",
            ["method", "route", "status"],
            buckets=SHORT_S,
        )
        self.http_errors = Counter(
            "needle_http_errors", "Requests that were answered with an error.", ["code"]
        )
        self.items = Counter(
            "needle_items",
            "Items of jobs that ended. One whose task ran twice may count twice.",
            ["status"],
        )
        self.item_failures = Counter(
            "needle_item_failures", "Items of jobs that failed, by the error's code.", ["code"]
        )
        self.job_failures = Counter(
            "needle_job_failures",
            "Jobs that failed as a whole, by the error's code.",
            ["kind", "code"],
        )
        self.regions = Counter("needle_indexed_regions", "Regions that were written.")
        self.index_stage = Histogram(
            "needle_index_stage_duration_seconds",
            "Stages of the index pipeline: `find` and `load` of one image, the others of a part.",
            ["stage"],
            buckets=LONG_S,
        )
        self.batch_fill = Histogram(
            "needle_index_batch_fill_ratio",
            "Images that went through the networks together, as a share of the batch's size.",
            buckets=SHARES,
        )
        self.items_in_progress = Gauge(
            "needle_index_items_in_progress",
            "Items of the tasks that are under way.",
            multiprocess_mode="livesum",
        )
        self.searches = Counter(
            "needle_searches",
            "Searches that were answered: whether anything was found, and all was verified.",
            ["found", "complete"],
        )
        self.search_duration = Histogram(
            "needle_search_duration_seconds",
            "Searches that were answered, from their request on.",
            buckets=SHORT_S,
        )
        self.search_stage = Histogram(
            "needle_search_stage_duration_seconds",
            "Stages of the search pipeline; `queued` is the wait for a worker.",
            ["stage"],
            buckets=SHORT_S,
        )
        self.searches_in_progress = Gauge(
            "needle_searches_in_progress",
            "Searches that are under way.",
            multiprocess_mode="livesum",
        )
        self.webhooks = Counter(
            "needle_webhook_calls",
            "Calls of webhooks: `delivered`, `failed` (to be tried again) or `given_up`.",
            ["outcome"],
        )
        # What has not happened yet is 0 and not unknown: alerts compare.
        for status in (
            ItemStatus.INDEXED,
            ItemStatus.UNCHANGED,
            ItemStatus.ANSWERED,
            ItemStatus.FAILED,
        ):
            self.items.labels(status.value)
        for found in ("true", "false"):
            for complete in ("true", "false"):
                self.searches.labels(found, complete)
        self.points = _last("needle_index_points", "Points of regions, of all collections.")
        self.pending = _last(
            "needle_index_pending_points",
            "Points that no index holds yet, of collections that are searched by one.",
        )
        self.optimizing = _last(
            "needle_index_optimizing", "Collections whose index is being built."
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered. `route` is its pattern, never its path."""
        known = method if method in _METHODS else "other"
        self.http.labels(known, route, str(status)).observe(seconds)

    def item(self, item: Item) -> None:
        """Count an item that ended."""
        self.items.labels(item.status.value).inc()
        if item.status is ItemStatus.FAILED:
            self.item_failures.labels(str((item.error or {}).get("code"))).inc()

    def search(self, result: Mapping[str, Any]) -> None:
        """Count a search by its result."""
        complete = result["verification"]["complete"]
        self.searches.labels(_word(result["found"]), _word(complete)).inc()
        for stage, spent_ms in result["timings_ms"].items():
            timed = self.search_duration if stage == "total" else self.search_stage.labels(stage)
            timed.observe(spent_ms / 1000)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of the index pipeline, and trace it; one that fails counts as well."""
        began = time.monotonic()
        try:
            with tracing.span(name):
                yield
        finally:
            self.index_stage.labels(name).observe(time.monotonic() - began)

    @contextmanager
    def items_under_way(self, count: int) -> Iterator[None]:
        """Count items as under way inside."""
        self.items_in_progress.inc(count)
        try:
            yield
        finally:
            self.items_in_progress.dec(count)


def _last(name: str, text: str) -> Gauge:
    """Return a gauge that only one process of a tree sets."""
    return Gauge(name, text, multiprocess_mode="livemax")


def _word(value: object) -> str:
    return "true" if value else "false"
