"""What is counted where it happens, and that labels stay few."""

from __future__ import annotations

from prometheus_client import generate_latest

from common.errors import InvalidImage
from common.job_store import JobStore
from common.jobs import Item, ItemStatus, Kind
from common.metrics import meters
from common.redis import Client
from tests.unit.metrics.helpers import Counted, families

FEW = {"method", "route", "status", "code", "kind", "stage", "found", "complete", "le", "outcome"}


def test_names_say_their_units_and_labels_are_few() -> None:
    meters()
    ours = [one for one in families(generate_latest()) if one.name.startswith("needle_")]
    assert len(ours) > 12
    for family in ours:
        assert not family.name.endswith(("_ms", "_millis", "_percent"))
        assert family.documentation.endswith(".")
        assert {label for sample in family.samples for label in sample.labels} <= FEW


def test_jobs_count_how_their_items_and_they_end(redis: Client, redis_url: str) -> None:
    jobs = JobStore(redis, url=redis_url, ttl_s=60)
    broken = Item(1, "b").failed(InvalidImage("No."))
    refused = Counted("needle_item_failures_total", code="invalid_image")
    indexed = Counted("needle_items_total", status="indexed")
    failed = Counted("needle_job_failures_total", kind="search", code="store_unavailable")
    jobs.create("j", Kind.INDEX, [Item(0, "a"), broken], {})
    jobs.finish_items("j", [Item(0, "a").ended(ItemStatus.INDEXED, "x")])
    jobs.create("s", Kind.SEARCH, [Item(0, "q")], {})
    assert jobs.fail("s", "store_unavailable", "Away.")
    assert not jobs.fail("s", "store_unavailable", "Away.")  # it has ended
    assert (refused.more, indexed.more, failed.more) == (1, 1, 1)


def test_a_search_counts_its_verdict_and_its_stages() -> None:
    verdict = Counted("needle_searches_total", found="true", complete="false")
    whole = Counted("needle_search_duration_seconds_sum")
    stage = Counted("needle_search_stage_duration_seconds_count", stage="verify")
    timings = {"queued": 5.0, "verify": 40.0, "total": 250.0}
    result = {"found": True, "verification": {"complete": False}, "timings_ms": timings}
    meters().search(result)
    assert (verdict.more, stage.more) == (1, 1)
    assert round(whole.more, 3) == 0.25


def test_a_method_that_nobody_knows_makes_no_series_of_its_own() -> None:
    labels = {"method": "other", "route": "none", "status": "405"}
    odd = Counted("needle_http_request_duration_seconds_count", **labels)
    meters().request("BREW", "none", 405, 0.01)
    assert odd.more == 1
